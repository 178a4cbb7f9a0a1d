//! One JSON object a line: a bad line costs its own row, and no number loses a digit.

use super::*;

/// A row of the good pair, written with commas, as an object.
fn object(side: Side, row: &[u8]) -> Bytes {
    let row = String::from_utf8(row.to_vec()).expect("good rows are text");
    let members = header(side).split(',').zip(row.split(',')).map(|(name, value)| match name {
        "cost" | "payout" => format!("\"{name}\": {value}"),
        _ => format!("\"{name}\": \"{value}\""),
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(", ")).into_bytes()
}

/// The good side as objects, with extra lines in the middle. There is no header: the first extra line is 101.
fn objects(side: Side, extra: &[Bytes]) -> Bytes {
    let mut rows: Vec<Bytes> = good_rows(side).iter().map(|row| object(side, row)).collect();
    let middle = rows.len() / 2;
    rows.splice(middle..middle, extra.iter().cloned());
    rows.iter().flat_map(|row| [row.as_slice(), b"\n"].concat()).collect()
}

const LINE: u64 = CLICK_LINE - 1;

fn with(name: &'static str, extra: &[Bytes], rejected: &[(u64, &'static str)]) -> Case {
    let blank = extra.iter().filter(|line| line.trim_ascii().is_empty()).count();
    let used = CLICKS + extra.len() - blank - rejected.len();
    let rejected = rejected.iter().map(|(at, why)| (LINE + at, *why)).collect();
    Case::bytes(name, Clicks, objects(Clicks, extra), Expect::Works { used, rejected })
}

fn bad(text: &str) -> Bytes {
    text.as_bytes().to_vec()
}

#[test]
fn a_bad_object_costs_its_own_line() {
    let good = object(Clicks, &other_click("x1"));
    let changed = |from: &str, to: &str| {
        let text = String::from_utf8(good.clone()).expect("good rows are text");
        assert!(text.contains(from));
        text.replacen(from, to, 1).into_bytes()
    };
    let latin = [&good[..good.len() - 2], b"\xff\"}"].concat();
    let nested = changed("\"offer\": \"offer1\"", "\"deal\": {\"offer\": \"offer1\"}, \"tags\": [1, \"]\"]");
    check_all(vec![
        with("one more object", std::slice::from_ref(&good), &[]),
        with("a broken object", &[good[..40].to_vec(), other("x2")], &[(0, "not_json")]),
        with(
            "text between objects",
            &[bad("null"), bad("\"x\""), bad("click"), bad("[1]")],
            &[(0, "not_json"), (1, "not_json"), (2, "not_json"), (3, "not_json")],
        ),
        with("two objects on a line", &[[good.clone(), other("x2")].concat()], &[(0, "not_json")]),
        with("a key twice", &[changed("{", "{\"source\": \"s\", ")], &[(0, "not_json")]),
        with("not a number", &[changed("0.010000", "NaN")], &[(0, "not_json")]),
        with("a number as text", &[changed("0.010000", "\"0.01\"")], &[]),
        with("a number with an exponent", &[changed("0.010000", "1e-2")], &[]),
        with("a cost that is too large", &[changed("0.010000", "1e8")], &[(0, "amount_too_large")]),
        with("a cost of another kind", &[changed("0.010000", "[0.01]")], &[(0, "bad_number")]),
        with("no time", &[changed("\"click_time\"", "\"clicked\"")], &[(0, "no_time")]),
        with(
            "null for a time",
            &[changed("\"click_time\": \"", "\"click_time\": null, \"was\": \"")],
            &[(0, "no_time")],
        ),
        with("nested too deep", &[[bad("{\"a\":"), good.clone(), bad("}")].concat()], &[(0, "no_time")]),
        with(
            "far too deep",
            &[[bad(&"{\"a\":".repeat(5_000)), bad(&"}".repeat(5_000))].concat()],
            &[(0, "not_json")],
        ),
        with("nested values and arrays", &[nested], &[]),
        with("bytes that are no UTF-8", &[latin], &[(0, "not_utf8")]),
        with("a NUL in an ID", &[changed("x1", "x\\u00001")], &[(0, "nul_in_id")]),
        with("blank lines", &[bad(""), bad("  "), good.clone()], &[]),
        with("CRLF", &[[good.clone(), bad("\r")].concat()], &[]),
        with("a field that is too long", &[changed("x1", &"x".repeat((64 << 10) + 1))], &[(0, "too_long")]),
        with(
            "a record that is too long",
            &[changed("{", &format!("{{\"u\": \"{}\", ", "u".repeat(1 << 20)))],
            &[(0, "too_long")],
        ),
        with(
            "a record that is longer than a chunk",
            &[changed("{", &format!("{{\"u\": \"{}\", ", "u".repeat(13 << 20)))],
            &[(0, "too_long")],
        ),
    ]);
}

fn other(id: &str) -> Bytes {
    object(Clicks, &other_click(id))
}

#[test]
fn files_of_objects() {
    let all = |side| objects(side, &[]);
    let cut = {
        let bytes = all(Clicks);
        bytes[..bytes.len() - 20].to_vec()
    };
    let pretty = bad("{\n  \"click_time\": \"2026-03-01\"\n}\n");
    let array = [b"[".to_vec(), object(Clicks, &other_click("x1")), b"]\n".to_vec()].concat();
    let untimed =
        String::from_utf8(all(Clicks)).expect("text").replace("click_time", "clicked_tme").into_bytes();
    let mut unended = all(Clicks);
    unended.pop();
    check_all(vec![
        Case::fine("objects, clicks", Clicks, all(Clicks)),
        Case::fine("objects, conversions", Conversions, all(Conversions)),
        Case::fine("objects behind a BOM", Clicks, prefixed(b"\xef\xbb\xbf", all(Clicks))),
        Case::fine("objects behind blank lines", Clicks, prefixed(b"\n\n", all(Clicks))),
        Case::fine("gzip", Clicks, gzip(&all(Clicks))),
        Case::fine("zstd", Conversions, zstd(&all(Conversions))),
        Case::fine(
            "gzip of several members",
            Clicks,
            [gzip(&all(Clicks)[..5_000]), gzip(&all(Clicks)[5_000..])].concat(),
        ),
        Case::fine("no final newline", Clicks, unended),
        Case::bytes("cut off", Clicks, cut, Gated(&["clicks.csv", "ends"])),
        Case::bytes(
            "pretty-printed",
            Clicks,
            pretty,
            Refused(&["clicks.csv is JSON that spans lines", "jq -c"]),
        ),
        Case::bytes("one array", Clicks, array, Refused(&["clicks.csv is JSON that spans lines", "jq -c"])),
        Case::bytes("no time anywhere", Clicks, untimed, Refused(&["click_time", "clicked_tme", "--map"])),
        Case::bytes("UTF-16", Clicks, utf16(&all(Clicks), u16::to_le_bytes), Refused(&["is UTF-16"])),
        Case::fine(
            "a header of placeholders is no object",
            Clicks,
            headed(Clicks, "user_agent", "{user_agent}"),
        ),
    ]);
}

/// 18 digits, one of them odd at the end: as a float they would all be the same ID.
#[test]
fn ids_keep_their_digits() {
    let numbers = |first: &str, side: Side| -> Bytes {
        let text = String::from_utf8(objects(side, &[])).expect("text");
        let ids: Vec<(String, String)> =
            (0..CLICKS).map(|i| (format!("\"c{i:04}\""), format!("{first}{i:04}"))).collect();
        ids.iter().fold(text, |text, (id, number)| text.replace(id, number)).into_bytes()
    };
    let clicks = numbers("15829175338738", Clicks);
    let folder =
        crate::runs::Folder::new().with("c", clicks).with("v", numbers("15829175338738", Conversions));
    let report = folder.report("c v");
    assert_eq!(report["coverage"]["conversion_classes"]["matched"], CONVERSIONS);
}
