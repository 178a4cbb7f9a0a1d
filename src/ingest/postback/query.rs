//! The parameters of a URL, as they were meant: split, decoded, and repaired where an HTML editor read
//! `&currency` or `&timestamp` as `¤cy` or `×tamp`.

use percent_encoding::{percent_decode, percent_encode_byte};

/// What an editor makes of a reference without its semicolon: the sign, and what stood behind the ampersand.
/// These names of the HTML standard need no semicolon.
pub const ENTITIES: &[(char, &str)] = &[
    ('¤', "curren"),
    ('×', "times"),
    ('¶', "para"),
    ('®', "reg"),
    ('©', "copy"),
    ('§', "sect"),
    ('¬', "not"),
    ('°', "deg"),
    ('¢', "cent"),
    ('µ', "micro"),
    ('÷', "divide"),
    ('£', "pound"),
    ('¥', "yen"),
    ('º', "ordm"),
    ('ª', "ordf"),
    ('<', "lt"),
    ('>', "gt"),
];

/// The query with its ampersands back, if any was lost. Only names that `known` knows are repaired: a sign
/// in a value stays.
pub fn repaired(query: &[u8], known: &dyn Fn(&str) -> bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(query.len());
    let (mut at, mut any) = (0, false);
    while at < query.len() {
        match damage(&query[at..], known) {
            Some((length, entity)) => {
                out.push(b'&');
                out.extend_from_slice(entity.as_bytes());
                at += length;
                any = true;
            }
            None => {
                out.push(query[at]);
                at += 1;
            }
        }
    }
    any.then_some(out)
}

/// The damage that a text begins with: its length and what belongs behind the ampersand.
fn damage(text: &[u8], known: &dyn Fn(&str) -> bool) -> Option<(usize, &'static str)> {
    if !matches!(text.first()?, b'%' | b'&' | 0x80..|b'<'| b'>') {
        return None;
    }
    if text.starts_with(b"&amp;") {
        return is_name(b"", &text[5..], known).then_some((5, ""));
    }
    ENTITIES.iter().find_map(|&(sign, entity)| {
        let length = spelled(sign).iter().find(|s| starts(text, s)).map(Vec::len)?;
        is_name(entity.as_bytes(), &text[length..], known).then_some((length, entity))
    })
}

/// How a sign is written in a URL: encoded or not, as UTF-8 or as Latin-1.
fn spelled(sign: char) -> Vec<Vec<u8>> {
    let utf8 = sign.to_string().into_bytes();
    let encoded = |bytes: &[u8]| bytes.iter().flat_map(|b| percent_encode_byte(*b).bytes()).collect();
    let latin = [u8::try_from(u32::from(sign)).unwrap_or_default()];
    vec![encoded(&utf8), encoded(&latin), utf8]
}

fn starts(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// Whether a known name and its `=` follow.
fn is_name(begin: &[u8], rest: &[u8], known: &dyn Fn(&str) -> bool) -> bool {
    let length = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    if rest.get(length) != Some(&b'=') {
        return false;
    }
    let name = [begin, &rest[..length]].concat();
    std::str::from_utf8(&name).is_ok_and(known)
}

/// Name and value of every parameter, decoded, in their order. A part without `=` is a name without a value.
pub fn parameters(query: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    parts(query).map(pair).map(|(name, value)| (decoded(name), decoded(value))).collect()
}

/// The undecoded parts between ampersands, empty ones left out.
pub fn parts(query: &[u8]) -> impl Iterator<Item = &[u8]> {
    query.split(|&b| b == b'&').filter(|part| !part.is_empty())
}

/// Name and value of a part, undecoded.
pub fn pair(part: &[u8]) -> (&[u8], &[u8]) {
    let at = memchr::memchr(b'=', part).unwrap_or(part.len());
    (&part[..at], part.get(at + 1..).unwrap_or_default())
}

/// A name or value of a query: `+` is a space, `%41` is `A`; a `%` that begins nothing stays.
pub fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
    percent_decode(&spaced).collect()
}

/// Host, path and query of a URL or of the target of a request.
pub fn split(target: &[u8]) -> (Option<&[u8]>, &[u8], &[u8]) {
    let rest = [&b"https://"[..], b"http://"]
        .into_iter()
        .find_map(|scheme| starts(target, scheme).then(|| &target[scheme.len()..]));
    let (host, rest) = match rest {
        None => (None, target),
        Some(rest) => {
            let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
            (Some(&rest[..end]), &rest[end..])
        }
    };
    let at = memchr::memchr(b'?', rest).unwrap_or(rest.len());
    (host, &rest[..at], rest.get(at + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_repair(query: &str, expected: Option<&str>) {
        let known = |name: &str| ["currency", "timestamp", "param1", "region", "amount"].contains(&name);
        let found = repaired(query.as_bytes(), &known).map(|q| String::from_utf8_lossy(&q).into_owned());
        assert_eq!(found.as_deref(), expected, "{query}");
    }

    #[test]
    fn lost_ampersands_come_back() {
        check_repair("amount=5¤cy=USD", Some("amount=5&currency=USD"));
        check_repair("amount=5%C2%A4cy=USD%c3%97tamp=1", Some("amount=5&currency=USD&timestamp=1"));
        check_repair("amount=5%A4cy=USD", Some("amount=5&currency=USD"));
        check_repair("cid=a&amp;currency=EUR&amp;amount=1", Some("cid=a&currency=EUR&amount=1"));
        check_repair("cid=a%C2%B6m1=x%C2%AEion=BY", Some("cid=a&param1=x&region=BY"));
        check_repair("cid=a%C2%AEion=BY", Some("cid=a&region=BY"));
    }

    #[test]
    fn a_sign_in_a_value_stays() {
        for query in
            ["note=5×tall=3", "note=100%C2%A4", "a=b&amp;", "name=R%C2%AE=x", "currency=USD", "", "%"]
        {
            check_repair(query, None);
        }
    }

    #[test]
    fn parameters_are_decoded_once() {
        let found = parameters(b"a=1&&b=x%20y+z&c&d=&a=%2B&e=1=2&f=%zz%");
        let shown: Vec<String> = found
            .iter()
            .map(|(n, v)| format!("{}:{}", String::from_utf8_lossy(n), String::from_utf8_lossy(v)))
            .collect();
        assert_eq!(shown, ["a:1", "b:x y z", "c:", "d:", "a:+", "e:1=2", "f:%zz%"]);
    }

    #[test]
    fn a_url_is_split_into_host_path_and_query() {
        let check = |target: &str, host: Option<&str>, path: &str, query: &str| {
            let (h, p, q) = split(target.as_bytes());
            assert_eq!(h.map(|h| String::from_utf8_lossy(h).into_owned()).as_deref(), host, "{target}");
            assert_eq!((p, q), (path.as_bytes(), query.as_bytes()), "{target}");
        };
        check("/postback?cid=1", None, "/postback", "cid=1");
        check("https://t.example:443/p?a=1?b", Some("t.example:443"), "/p", "a=1?b");
        check("HTTP://t.example?a=1", Some("t.example"), "", "a=1");
        check("/plain", None, "/plain", "");
    }
}
