//! What ingest finds beside the columns themselves: networks, presence, brands. Text and Parquet must agree on
//! every row, and keeping less of a click must not change what is kept.

use clickaudit::base::column::Col;
use clickaudit::ingest::mapping::load;
use clickaudit::ingest::{Batch, Field, Inputs, Intake, Mapping, Plan, Shape, Wanted, ingest, key};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeMap;
use std::path::Path;

/// The fields that are compared.
const FIELDS: [Field; 13] = [
    Field::Value(Col::ClickTime),
    Field::Value(Col::Model),
    Field::Value(Col::Asn),
    Field::Key(Col::Asn),
    Field::Key(Col::UserAgent),
    Field::Key(Col::Ip),
    Field::Net(Col::Ip),
    Field::Value(Col::IsDatacenter),
    Field::Present(Col::Referrer),
    Field::Present(Col::UserAgent),
    Field::Brand,
    Field::Macro,
    Field::Key(Col::ClickId),
];

/// Headers of the generated exports; the first is always there.
const HEADERS: [&str; 9] = [
    "click_time",
    "click_id",
    "ip",
    "user_agent",
    "referrer",
    "keyword",
    "asn",
    "is_datacenter",
    "payout_type",
];

const BRANDS: &str = "brand_terms: [Lucky Casino, 'win-24']\n";

/// A table of text; an empty cell is absent.
#[derive(Clone, Debug)]
struct Export {
    headers: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Export {
    /// An export with a time and these columns.
    fn new(headers: &[&'static str], rows: &[&[&str]]) -> Export {
        let row = |cells: &&[&str]| {
            std::iter::once("2026-03-05 10:00:00").chain(cells.iter().copied()).map(str::to_owned).collect()
        };
        let headers = std::iter::once("click_time").chain(headers.iter().copied()).collect();
        Export { headers, rows: rows.iter().map(row).collect() }
    }

    fn csv(&self) -> String {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n";
        let rows: String = self.rows.iter().map(line).collect();
        self.headers.join(",") + "\n" + &rows
    }

    /// The same rows as Parquet: flags as booleans, system numbers as integers, absence as null or empty text.
    fn write_parquet(&self, path: &Path) {
        use polars::prelude::*;
        let column = |(at, &name): (usize, &&'static str)| {
            let cells = || self.rows.iter().map(|row| row[at].as_str());
            let name = PlSmallStr::from_static(name);
            let series = match name.as_str() {
                "is_datacenter" | "Is Datacenter" => {
                    let flag = |cell: &str| (!cell.is_empty()).then_some(cell == "yes");
                    Series::new(name, cells().map(flag).collect::<Vec<Option<bool>>>())
                }
                "asn" | "AS Number" => {
                    Series::new(name, cells().map(|c| c.parse().ok()).collect::<Vec<Option<u32>>>())
                }
                _ => {
                    let text = |(row, cell): (usize, &str)| {
                        (!cell.is_empty() || row % 2 == 0).then(|| cell.to_owned())
                    };
                    Series::new(name, cells().enumerate().map(text).collect::<Vec<Option<String>>>())
                }
            };
            series.into_column()
        };
        let columns: Vec<Column> = self.headers.iter().enumerate().map(column).collect();
        let mut frame = DataFrame::new(self.rows.len(), columns).expect("columns of one length");
        let file = std::fs::File::create(path).expect("a file in the folder");
        ParquetWriter::new(file).finish(&mut frame).expect("a Parquet file");
    }
}

fn mapping(folder: &Path, text: &str) -> Mapping {
    let path = folder.join("map.yaml");
    std::fs::write(&path, text).expect("a mapping file");
    Mapping::build(None, Some(load(&path).expect("a mapping"))).expect("a valid mapping")
}

/// The fields of every row, by name; a field that the rows don't have is not there.
type Found = BTreeMap<String, Vec<String>>;

fn found(intake: &Intake, shape: Shape) -> Found {
    let table = if shape == Shape::Clicks { &intake.clicks } else { &intake.conversions };
    let mut found = Found::new();
    let mut see = |batch: &Batch| {
        for field in FIELDS {
            if let Some(values) = shown(batch, field) {
                found.entry(field.name().to_string()).or_default().extend(values);
            }
        }
        Ok(())
    };
    table.scan(&FIELDS, None, &mut see).expect("the intake can be read");
    found
}

/// One field of a batch, by the reader that later stages use for it.
fn shown(batch: &Batch, field: Field) -> Option<Vec<String>> {
    fn all<T: std::fmt::Debug>(values: impl Iterator<Item = Option<T>>) -> Vec<String> {
        values.map(|v| v.map_or("-".to_owned(), |v| format!("{v:?}"))).collect()
    }
    match field {
        Field::Value(col @ (Col::ClickTime | Col::IsDatacenter)) => {
            batch.integers(col).map(|v| all(v.iter()))
        }
        Field::Value(col) => batch.texts(col).map(|v| all(v.iter())),
        Field::Key(_) | Field::Net(_) | Field::Row => batch.keys(field).map(|v| all(v.iter())),
        Field::Macro | Field::Present(_) | Field::Brand => batch.flags(field).map(|v| all(v.iter())),
    }
}

/// What is found in an export: written as text and as Parquet, kept whole and in part; always the same.
fn read(export: &Export, shape: Shape, map: &str) -> Found {
    let folder = tempfile::tempdir().expect("a folder");
    let mapping = mapping(folder.path(), map);
    let (text, parquet) = (folder.path().join("rows.csv"), folder.path().join("rows.parquet"));
    std::fs::write(&text, export.csv()).expect("a file in the folder");
    export.write_parquet(&parquet);
    let read = |path: &Path, wanted: &Wanted| {
        let files = BTreeMap::from([(shape, vec![path.display().to_string()])]);
        let inputs = Inputs { files, ..Inputs::default() };
        let intake = ingest(&inputs, &Plan::fixed(mapping.clone()), wanted, 2).expect("it can be read");
        assert_eq!(intake.files[0].rejects.total(), 0, "{:?}", intake.files[0].rejects.kept);
        found(&intake, shape)
    };
    let whole = read(&text, &Wanted::Everything);
    assert_eq!(read(&text, &Wanted::Only(FIELDS.into())), whole, "kept in part");
    assert_eq!(read(&parquet, &Wanted::Everything), whole, "Parquet");
    whole
}

/// One field of every click, as text and as Parquet.
#[track_caller]
fn check(headers: &[&'static str], rows: &[&[&str]], field: Field, expected: Option<&[&str]>) {
    let found = read(&Export::new(headers, rows), Shape::Clicks, BRANDS);
    let expected = expected.map(|values| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>());
    assert_eq!(found.get(field.name().as_str()), expected.as_ref(), "{headers:?}");
}

#[test]
fn an_address_has_the_key_of_its_network() {
    let rows: &[&[&str]] = &[
        &["192.0.2.7"],
        &["::ffff:192.0.2.200"],
        &["2001:db8:a:1::1"],
        &[""],
        &["NULL"],
        &["0.0.0.0"],
        &["192.0.2"],
        &["a visitor"],
    ];
    let v4 = key(&[192, 0, 2]).to_string();
    let v6 = key(&[0x20, 0x01, 0x0d, 0xb8, 0x00, 0x0a]).to_string();
    let expected = [v4.as_str(), &v4, &v6, "-", "-", "-", "-", "-"];
    check(&["ip"], rows, Field::Net(Col::Ip), Some(&expected));
    check(&["user_agent"], &[&["192.0.2.7"]], Field::Net(Col::Ip), None);
}

#[test]
fn a_user_agent_has_a_key_and_presence_without_its_text() {
    let rows: &[&[&str]] = &[&["Mozilla/5.0"], &[""], &["null"], &["-"], &["Mozilla/5.0"]];
    let [browser, dash] = ["Mozilla/5.0", "-"].map(|t| key(t.as_bytes()).to_string());
    let keys = [browser.as_str(), "-", "-", &dash, &browser];
    check(&["user_agent"], rows, Field::Key(Col::UserAgent), Some(&keys));
    let present = ["true", "false", "false", "true", "true"];
    check(&["user_agent"], rows, Field::Present(Col::UserAgent), Some(&present));
    check(&["ip"], &[&["192.0.2.7"]], Field::Present(Col::UserAgent), None);
}

#[test]
fn a_referrer_is_present_or_not() {
    let rows: &[&[&str]] = &[&["https://example.com/"], &[""], &["\\N"]];
    check(&["referrer"], rows, Field::Present(Col::Referrer), Some(&["true", "false", "false"]));
    check(&["keyword"], rows, Field::Present(Col::Referrer), None);
}

#[test]
fn a_click_names_a_brand_in_its_keyword_or_referrer() {
    let rows: &[&[&str]] = &[
        &["lucky+casino bonus", ""],
        &["", "https://lucky-casino.com/?x=1"],
        &["slots", "https://www.google.com/search?q=LUCKY%20casino"],
        &["WIN24", "https://example.com"],
        &["slots", "https://example.com"],
        &["lucky", "casino"],
        &["", "null"],
    ];
    let expected = ["true", "true", "true", "true", "false", "false", "-"];
    check(&["keyword", "referrer"], rows, Field::Brand, Some(&expected));
    check(&["keyword"], &[&["luckycasino"]], Field::Brand, Some(&["true"]));
    check(&["ip"], &[&["192.0.2.7"]], Field::Brand, None);
}

#[test]
fn nobody_names_a_brand_that_is_not_told() {
    let export = Export::new(&["keyword"], &[&["lucky casino"]]);
    let is_told = |shape, map| read(&export, shape, map).contains_key(Field::Brand.name().as_str());
    assert!(is_told(Shape::Clicks, BRANDS));
    assert!(!is_told(Shape::Clicks, "currency: EUR\n"));
    let conversions = "brand_terms: [lucky]\nconversions: {columns: {conversion_time: click_time}}\n";
    assert!(!is_told(Shape::Conversions, conversions));
}

#[test]
fn the_new_columns_have_usual_headers() {
    let export = Export::new(
        &["Is Datacenter", "AS Number", "Payout Type"],
        &[&["yes", "13335", "CPA"], &["", "", ""]],
    );
    let found = read(&export, Shape::Clicks, "{}");
    let expect = |field: Field, values: [&str; 2]| assert_eq!(found[field.name().as_str()], values);
    expect(Field::Value(Col::IsDatacenter), ["1", "-"]);
    expect(Field::Value(Col::Model), ["\"CPA\"", "-"]);
    expect(Field::Value(Col::Asn), ["\"13335\"", "-"]);
    expect(Field::Key(Col::Asn), [&key(b"13335").to_string(), "-"]);
}

#[test]
fn trusted_sources_and_brand_terms_are_taken_as_they_are_spelled() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "trusted: [123, 0042, zone/777, 'Zero Park/z 1']\nbrand_terms: [Lucky Casino, 888]\n";
    let mapping = mapping(folder.path(), text);
    assert_eq!(mapping.trusted, ["123", "0042", "zone/777", "Zero Park/z 1"]);
    assert_eq!(mapping.brand_terms, ["Lucky Casino", "888"]);
}

// ---------------------------------------------------------------- any rows

fn cell(header: &'static str) -> BoxedStrategy<String> {
    let pool = |texts: &'static [&'static str]| prop::sample::select(texts).prop_map(str::to_owned);
    let anything = "[ -~é%À-ÿİΣ]{0,12}";
    match header {
        "click_time" => pool(&["2026-03-05 10:00:00", "2026-03-05T23:59:59Z"]).boxed(),
        "click_id" => prop_oneof![pool(&["", "{clickid}", "[CID]", "%7Bsub%7D"]), "[a-z]{1,3}"].boxed(),
        "ip" => prop_oneof![
            any::<[u8; 4]>().prop_map(|b| std::net::Ipv4Addr::from(b).to_string()),
            any::<[u8; 4]>().prop_map(|b| std::net::Ipv4Addr::from(b).to_ipv6_mapped().to_string()),
            any::<[u16; 8]>().prop_map(|b| std::net::Ipv6Addr::from(b).to_string()),
            pool(&["", "null", "::", "1.2.3", "1.2.3.4:80", " 1.2.3.4 "]),
            anything,
        ]
        .boxed(),
        "asn" => prop_oneof![pool(&[""]), any::<u32>().prop_map(|n| n.to_string())].boxed(),
        "is_datacenter" => pool(&["", "yes", "no"]).boxed(),
        "payout_type" => pool(&["", "CPA", "RevShare", "NULL"]).boxed(),
        _ => prop_oneof![
            pool(&["", "null", "NULL", " ", "lucky casino", "Lucky%20Casino", "l.u-c+k_y%43asino", "win 24"]),
            (anything, anything).prop_map(|(before, behind)| format!("{before}lucky casino{behind}")),
            anything,
        ]
        .boxed(),
    }
}

fn exports() -> impl Strategy<Value = Export> {
    let headers = prop::sample::subsequence(HEADERS[1..].to_vec(), 1..HEADERS.len());
    headers.prop_flat_map(|mut headers| {
        headers.insert(0, HEADERS[0]);
        let row: Vec<BoxedStrategy<String>> = headers.iter().map(|h| cell(h)).collect();
        prop::collection::vec(row, 1..20).prop_map(move |rows| Export { headers: headers.clone(), rows })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(11), ..ProptestConfig::with_cases(32) })]

    #[test]
    fn text_and_parquet_agree_on_every_field(export in exports()) {
        read(&export, Shape::Clicks, BRANDS);
        let as_conversions = "conversions: {columns: {conversion_time: click_time}}\n";
        read(&export, Shape::Conversions, as_conversions);
    }
}
