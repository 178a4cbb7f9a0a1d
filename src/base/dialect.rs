//! How the tools that block write their lists: one declaration for each dialect.
//!
//! A dialect takes only what it can hold. Everything else comes back with the reason, so that no text of the
//! data can end a line, widen an entry or mean "everything". Refuses to shorten a list that is too long for
//! its destination.

use super::networks::{self, Network, Widest};
use super::text::Text;
use std::collections::BTreeMap;

/// What the entries of a dialect are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// The values that make a group, joined with `:`.
    Ids,
    /// `publisher:site:placement`, where `*` stands for whatever the group does not say.
    Paths,
    /// Addresses and networks, none wider than these prefixes.
    Networks(Widest),
}

/// Dialects are told apart by their name.
impl std::fmt::Debug for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// One way to write a list.
pub struct Dialect {
    /// As in `-o blocklist:NAME=PATH`.
    pub name: &'static str,
    pub summary: &'static str,
    pub holds: Holds,
    /// The most entries that one list takes at its destination.
    pub limit: Option<usize>,
    /// What starts a comment, where the dialect has any.
    pub comment: Option<&'static str>,
    /// Where the form is described.
    pub reference: &'static str,
    write: fn(&[Entry]) -> String,
    /// The entries of a list; what is none of them comes back as it stands.
    read: fn(&str) -> Vec<String>,
}

/// Something to be listed: the values of its columns in the order of the grain, and the rule that says why.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    pub parts: Vec<Option<&'a Text>>,
    pub rule: &'a str,
}

/// Something that a list holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub text: String,
    pub rule: String,
}

/// What of the candidates a dialect takes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Sorted, each once.
    pub entries: Vec<Entry>,
    /// Sorted, with the reason.
    pub refused: Vec<(Text, String)>,
}

/// Any address: the documents of these tools name no bound.
const ANY: Widest = Widest { v4: 1, v6: 1 };

/// Every dialect, by name.
pub const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "cloudflare",
        summary: "addresses for a custom list of Cloudflare, as CSV to upload",
        holds: Holds::Networks(Widest { v4: 8, v6: 12 }),
        limit: None,
        comment: None,
        reference: "developers.cloudflare.com: custom lists",
        write: |entries| each(entries, |e| format!("{},{}\n", e.text, e.rule)),
        read: |text| fields(text, '\n').into_iter().map(|line| until(line, ',')).collect(),
    },
    Dialect {
        name: "comma",
        summary: "IDs on one line, separated by commas (HilltopAds and most pop networks)",
        holds: Holds::Ids,
        limit: None,
        comment: None,
        reference: "HilltopAds API: setBlackList, sourceId=1,2,3",
        write: |entries| closed(joined(entries, ",")),
        read: |text| owned(fields(text.trim_end_matches('\n'), ',')),
    },
    Dialect {
        name: "csv",
        summary: "one ID a row, with the rule that says why",
        holds: Holds::Ids,
        limit: None,
        comment: None,
        reference: "RFC 4180",
        write: |entries| format!("id,rule\n{}", each(entries, |e| format!("{},{}\n", e.text, e.rule))),
        read: |text| fields(text, '\n').into_iter().skip(1).map(|line| until(line, ',')).collect(),
    },
    Dialect {
        name: "google-ads",
        summary: "addresses to exclude from a Google Ads campaign, one a line",
        holds: Holds::Networks(ANY),
        limit: Some(500),
        comment: None,
        reference: "developers.google.com: Google Ads API, IpBlockInfo",
        write: lines,
        read: read_lines,
    },
    Dialect {
        name: "ipset",
        summary: "addresses as two sets for `ipset restore`",
        holds: Holds::Networks(ANY),
        limit: Some(65_536),
        comment: Some("#"),
        reference: "ipset(8): restore, hash:net, maxelem",
        write: ipset,
        read: |text| {
            fields(text, '\n')
                .into_iter()
                .filter_map(|l| l.strip_prefix("add "))
                .map(|l| after(l, ' '))
                .collect()
        },
    },
    Dialect {
        name: "json",
        summary: "IDs as a JSON array, with the rule that says why",
        holds: Holds::Ids,
        limit: None,
        comment: None,
        reference: "RFC 8259",
        write: json,
        read: read_json,
    },
    Dialect {
        name: "keitaro-bots",
        summary: "addresses for Keitaro's list of bots, one a line",
        holds: Holds::Networks(ANY),
        limit: None,
        comment: None,
        reference: "docs.keitaro.io: bot list, addresses and CIDR, no masks or intervals",
        write: lines,
        read: read_lines,
    },
    Dialect {
        name: "lines",
        summary: "one ID a line",
        holds: Holds::Ids,
        limit: None,
        comment: None,
        reference: "–",
        write: lines,
        read: read_lines,
    },
    Dialect {
        name: "nftables",
        summary: "addresses as two named sets of an nftables table",
        holds: Holds::Networks(ANY),
        limit: None,
        comment: Some("#"),
        reference: "nft(8): sets, flags interval",
        write: nftables,
        read: read_nftables,
    },
    Dialect {
        name: "nginx",
        summary: "addresses as `deny` directives to include",
        holds: Holds::Networks(ANY),
        limit: None,
        comment: Some("#"),
        reference: "nginx.org: ngx_http_access_module, deny",
        write: |entries| each(entries, |e| format!("deny {};\n", e.text)),
        read: |text| fields(text, '\n').into_iter().map(denied).collect(),
    },
    Dialect {
        name: "offer18",
        summary: "IDs on one line, separated by commas, 500 at most (Offer18)",
        holds: Holds::Ids,
        limit: Some(500),
        comment: None,
        reference: "knowledgebase.offer18.com: offer anti-fraud, 500 values a field",
        write: |entries| closed(joined(entries, ",")),
        read: |text| owned(fields(text.trim_end_matches('\n'), ',')),
    },
    Dialect {
        name: "paths",
        summary: "publisher:site:placement with * (PPCmate and other Platform.io networks)",
        holds: Holds::Paths,
        limit: None,
        comment: None,
        reference: "docs.platform.io: black and white lists",
        write: lines,
        read: read_lines,
    },
    Dialect {
        name: "voluum",
        summary: "placements for a list of Voluum's Automizer, one a line",
        holds: Holds::Ids,
        limit: None,
        comment: None,
        reference: "doc.voluum.com: whitelists and blacklists in Automizer",
        write: lines,
        read: read_lines,
    },
];

/// Levels of a path.
const LEVELS: usize = 3;

impl Dialect {
    /// The dialect of this name.
    pub fn find(name: &str) -> Option<&'static Dialect> {
        DIALECTS.iter().find(|d| d.name == name)
    }

    /// Splits candidates into entries and what cannot be one. Networks are merged where that adds no address;
    /// what touches a `protected` network is refused, and nothing gets wider than `widest`.
    pub fn accept(&self, candidates: &[Candidate], protected: &[Network], widest: Widest) -> Accepted {
        let mut refused = Vec::new();
        let mut found: BTreeMap<String, &str> = BTreeMap::new();
        let mut nets: Vec<(Network, &str)> = Vec::new();
        for candidate in candidates {
            let kept = match self.holds {
                Holds::Ids => id(candidate).map(|id| add(&mut found, id, candidate)),
                Holds::Paths => path(candidate).map(|path| add(&mut found, path, candidate)),
                Holds::Networks(own) => network(candidate, protected, narrower(own, widest))
                    .map(|net| nets.push((net, candidate.rule))),
            };
            refused.extend(kept.err().map(|why| (candidate.text(), why)));
        }
        refused.sort();
        refused.dedup();
        let entries = match self.holds {
            Holds::Networks(own) => merged(&nets, narrower(own, widest)),
            _ => found.into_iter().map(|(text, rule)| Entry { text, rule: rule.to_owned() }).collect(),
        };
        Accepted { entries, refused }
    }

    /// The list as it is sent to its destination.
    ///
    /// # Errors
    /// More entries than the destination takes.
    pub fn write(&self, entries: &[Entry]) -> Result<String, String> {
        match self.limit.filter(|limit| entries.len() > *limit) {
            Some(limit) => Err(format!(
                "{} entries, but {} takes {limit} at most: list by destination, or by a coarser grain",
                entries.len(),
                self.name
            )),
            None => Ok((self.write)(entries)),
        }
    }

    /// The entries of a list that stands, as texts; what is left of a broken line is a text, too.
    pub fn read(&self, text: &str) -> Vec<String> {
        let kept: Vec<&str> = match self.comment {
            Some(mark) => text.lines().filter(|line| !line.trim_start().starts_with(mark)).collect(),
            None => text.lines().collect(),
        };
        (self.read)(&kept.iter().flat_map(|line| [line, "\n"]).collect::<String>())
    }

    /// What is wrong with the text of an entry, if anything is.
    pub fn fault(&self, text: &str) -> Option<String> {
        let part = |part: &str| Text::new(part).list_id().is_some();
        let fits = match self.holds {
            Holds::Ids => text.split(':').all(part),
            Holds::Paths => {
                let parts: Vec<&str> = text.split(':').collect();
                parts.len() == LEVELS && part(parts[0]) && parts[1..].iter().all(|p| *p == "*" || part(p))
            }
            Holds::Networks(own) => return network_fault(text, own),
        };
        (!fits).then(|| NO_ID.to_owned())
    }
}

impl Candidate<'_> {
    fn text(&self) -> Text {
        let parts: Vec<&str> = self.parts.iter().map(|part| part.map_or("", Text::raw)).collect();
        Text::new(parts.join(":"))
    }

    /// The parts, if all are there and each is an ID.
    fn ids(&self) -> Result<Vec<&str>, String> {
        if self.parts.iter().any(Option::is_none) {
            return Err("it has no ID".to_owned());
        }
        let ids: Option<Vec<&str>> = self.parts.iter().map(|part| part.and_then(Text::list_id)).collect();
        ids.ok_or_else(|| NO_ID.to_owned())
    }
}

const NO_ID: &str = "the ID is a placeholder or holds characters that no list can hold";

/// Adds an entry; the first rule that named it is the one that is told.
fn add<'a>(found: &mut BTreeMap<String, &'a str>, text: String, candidate: &Candidate<'a>) {
    found.entry(text).or_insert(candidate.rule);
}

fn id(candidate: &Candidate) -> Result<String, String> {
    candidate.ids().map(|ids| ids.join(":"))
}

fn path(candidate: &Candidate) -> Result<String, String> {
    let ids = candidate.ids()?;
    if ids.len() > LEVELS {
        return Err(format!("it has {} levels, a path has {LEVELS}", ids.len()));
    }
    let levels = ids.into_iter().chain(std::iter::repeat("*")).take(LEVELS);
    Ok(levels.collect::<Vec<_>>().join(":"))
}

fn network(candidate: &Candidate, protected: &[Network], widest: Widest) -> Result<Network, String> {
    let [Some(text)] = candidate.parts[..] else {
        return Err("an address is one value; audit with --by ip or --by ip24".to_owned());
    };
    let net = networks::parse(text.raw()).ok_or("it is no address and no network with zero host bits")?;
    if let Some(what) = networks::special(&net) {
        return Err(format!("the address is {what}"));
    }
    if !widest.allows(&net) {
        return Err(format!("it is wider than /{} and /{}", widest.v4, widest.v6));
    }
    match protected.iter().find(|p| networks::overlap(p, &net)) {
        Some(net) => Err(format!("{} is protected", networks::shown(net))),
        None => Ok(net),
    }
}

fn network_fault(text: &str, widest: Widest) -> Option<String> {
    let Some(net) = networks::parse(text) else {
        return Some("it is no address and no network with zero host bits".to_owned());
    };
    let special = networks::special(&net).map(|what| format!("the address is {what}"));
    special.or_else(|| {
        (!widest.allows(&net)).then(|| format!("it is wider than /{} and /{}", widest.v4, widest.v6))
    })
}

fn narrower(a: Widest, b: Widest) -> Widest {
    Widest { v4: a.v4.max(b.v4), v6: a.v6.max(b.v6) }
}

/// The networks in the fewest lines, each with the first rule of those in it.
fn merged(nets: &[(Network, &str)], widest: Widest) -> Vec<Entry> {
    let all: Vec<Network> = nets.iter().map(|(net, _)| *net).collect();
    let rule =
        |whole: &Network| nets.iter().filter(|(net, _)| whole.contains(net)).map(|(_, rule)| *rule).min();
    networks::aggregated(&all, widest)
        .iter()
        .map(|net| Entry { text: networks::shown(net), rule: rule(net).unwrap_or_default().to_owned() })
        .collect()
}

// ---------------------------------------------------------------- forms

fn each(entries: &[Entry], line: impl Fn(&Entry) -> String) -> String {
    entries.iter().map(line).collect()
}

fn lines(entries: &[Entry]) -> String {
    each(entries, |e| format!("{}\n", e.text))
}

fn joined(entries: &[Entry], mark: &str) -> String {
    entries.iter().map(|e| e.text.as_str()).collect::<Vec<_>>().join(mark)
}

/// An empty list is an empty file.
fn closed(line: String) -> String {
    if line.is_empty() { line } else { line + "\n" }
}

fn fields(text: &str, mark: char) -> Vec<&str> {
    text.split(mark).filter(|field| !field.is_empty()).collect()
}

fn owned(fields: Vec<&str>) -> Vec<String> {
    fields.into_iter().map(str::to_owned).collect()
}

fn read_lines(text: &str) -> Vec<String> {
    owned(fields(text, '\n'))
}

fn until(line: &str, mark: char) -> String {
    line.split(mark).next().unwrap_or_default().to_owned()
}

fn after(line: &str, mark: char) -> String {
    line.split_once(mark).map_or(line, |(_, rest)| rest).to_owned()
}

fn denied(line: &str) -> String {
    let inner = line.strip_prefix("deny ").and_then(|rest| rest.strip_suffix(';'));
    inner.unwrap_or(line).to_owned()
}

fn families(entries: &[Entry]) -> [(&'static str, Vec<&str>); 2] {
    let of = |six: bool| entries.iter().map(|e| e.text.as_str()).filter(|t| t.contains(':') == six).collect();
    [("4", of(false)), ("6", of(true))]
}

fn ipset(entries: &[Entry]) -> String {
    let set = |(family, nets): &(&str, Vec<&str>)| {
        let inet = if *family == "4" { "inet" } else { "inet6" };
        let name = format!("clickaudit{family}");
        let adds: String = nets.iter().map(|net| format!("add {name} {net}\n")).collect();
        format!("create {name} hash:net family {inet} maxelem 65536 -exist\nflush {name}\n{adds}")
    };
    families(entries).iter().map(set).collect()
}

fn nftables(entries: &[Entry]) -> String {
    let set = |(family, nets): &(&str, Vec<&str>)| {
        let elements = if nets.is_empty() {
            String::new()
        } else {
            format!("    elements = {{ {} }}\n", nets.join(", "))
        };
        format!("  set blocked{family} {{\n    type ipv{family}_addr\n    flags interval\n{elements}  }}\n")
    };
    let sets: String = families(entries).iter().map(set).collect();
    format!("table inet clickaudit {{\n{sets}}}\n")
}

fn read_nftables(text: &str) -> Vec<String> {
    let elements = text.split("elements = {").skip(1).filter_map(|rest| rest.split_once('}'));
    elements.flat_map(|(inside, _)| inside.split(',')).map(|net| net.trim().to_owned()).collect()
}

fn json(entries: &[Entry]) -> String {
    let row = |e: &Entry| format!("  {{\"id\": \"{}\", \"rule\": \"{}\"}}", e.text, e.rule);
    match entries {
        [] => "[]\n".to_owned(),
        _ => format!("[\n{}\n]\n", entries.iter().map(row).collect::<Vec<_>>().join(",\n")),
    }
}

fn read_json(text: &str) -> Vec<String> {
    let ids = text.split("\"id\": \"").skip(1).filter_map(|rest| rest.split_once('"'));
    ids.map(|(id, _)| id.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::HOSTILE;
    use proptest::prelude::*;

    fn accepted(dialect: &Dialect, texts: &[&str]) -> Accepted {
        let texts: Vec<Text> = texts.iter().map(|t| Text::new(*t)).collect();
        let candidates: Vec<Candidate> =
            texts.iter().map(|t| Candidate { parts: vec![Some(t)], rule: "a-rule" }).collect();
        dialect.accept(&candidates, &[], Widest::CUSTOMER)
    }

    fn check(name: &str, texts: &[&str], expected: &str) {
        let dialect = Dialect::find(name).expect(name);
        let list = dialect.write(&accepted(dialect, texts).entries).expect("within the limit");
        assert_eq!(list, expected, "{name}");
    }

    #[test]
    fn the_table_is_sorted_and_says_what_it_is() {
        assert!(DIALECTS.windows(2).all(|w| w[0].name < w[1].name));
        for dialect in DIALECTS {
            assert!(!dialect.summary.is_empty() && !dialect.reference.is_empty(), "{}", dialect.name);
            assert!(dialect.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        }
    }

    #[test]
    fn each_dialect_has_its_form() {
        let ids = ["z2", "z1", "z2"];
        check("lines", &ids, "z1\nz2\n");
        check("comma", &ids, "z1,z2\n");
        check("comma", &[], "");
        check("csv", &ids, "id,rule\nz1,a-rule\nz2,a-rule\n");
        check(
            "json",
            &ids,
            "[\n  {\"id\": \"z1\", \"rule\": \"a-rule\"},\n  {\"id\": \"z2\", \"rule\": \"a-rule\"}\n]\n",
        );
        check("paths", &["34567"], "34567:*:*\n");
        let nets = ["8.8.8.0", "8.8.8.1", "2a00::1"];
        check("keitaro-bots", &nets, "8.8.8.0/31\n2a00::1\n");
        check("nginx", &nets, "deny 8.8.8.0/31;\ndeny 2a00::1;\n");
        check("cloudflare", &nets, "8.8.8.0/31,a-rule\n2a00::1,a-rule\n");
        check(
            "nftables",
            &nets,
            "table inet clickaudit {\n  set blocked4 {\n    type ipv4_addr\n    flags interval\n    elements = { 8.8.8.0/31 }\n  }\n  \
             set blocked6 {\n    type ipv6_addr\n    flags interval\n    elements = { 2a00::1 }\n  }\n}\n",
        );
        check(
            "ipset",
            &["8.8.8.8"],
            "create clickaudit4 hash:net family inet maxelem 65536 -exist\nflush clickaudit4\nadd clickaudit4 8.8.8.8\n\
             create clickaudit6 hash:net family inet6 maxelem 65536 -exist\nflush clickaudit6\n",
        );
    }

    #[test]
    fn a_path_says_only_what_is_known() {
        let texts: Vec<Text> = ["1", "2", "3", "4"].map(Text::from).to_vec();
        let of = |n: usize| path(&Candidate { parts: texts[..n].iter().map(Some).collect(), rule: "r" });
        assert_eq!((of(1), of(2), of(3)), (Ok("1:*:*".into()), Ok("1:2:*".into()), Ok("1:2:3".into())));
        assert!(of(4).is_err());
    }

    #[test]
    fn an_address_that_nobody_may_block_is_refused() {
        let dialect = Dialect::find("nginx").expect("a dialect");
        let protected = [networks::parse("9.9.9.0/24").expect("a network")];
        let texts = ["10.0.0.1", "9.9.9.9", "8.0.0.0/8", "x;", "8.8.8.8"].map(Text::from);
        let candidates: Vec<Candidate> =
            texts.iter().map(|t| Candidate { parts: vec![Some(t)], rule: "r" }).collect();
        let accepted = dialect.accept(&candidates, &protected, Widest::CUSTOMER);
        let why: Vec<(&str, &str)> = accepted.refused.iter().map(|(t, w)| (t.raw(), w.as_str())).collect();
        assert_eq!(accepted.entries.len(), 1);
        assert_eq!(
            why,
            [
                ("10.0.0.1", "the address is private"),
                ("8.0.0.0/8", "it is wider than /24 and /48"),
                ("9.9.9.9", "9.9.9.0/24 is protected"),
                ("x;", "it is no address and no network with zero host bits"),
            ]
        );
    }

    #[test]
    fn a_list_that_is_too_long_is_no_list() {
        let dialect = Dialect::find("offer18").expect("a dialect");
        let entries: Vec<Entry> =
            (0..501).map(|n| Entry { text: format!("z{n}"), rule: "r".into() }).collect();
        assert!(dialect.write(&entries[..500]).is_ok());
        assert!(dialect.write(&entries).expect_err("501 entries").contains("takes 500 at most"));
    }

    #[test]
    fn hostile_text_is_no_entry_of_any_dialect() {
        for dialect in DIALECTS {
            let accepted = accepted(dialect, HOSTILE);
            assert_eq!(accepted.entries, [], "{}", dialect.name);
            // The parts of a key are joined with a colon: what two of them look like is an entry.
            for text in HOSTILE.iter().filter(|text| **text != "a:b") {
                assert!(dialect.fault(text).is_some(), "{} {text:?}", dialect.name);
            }
        }
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z0-9]{1,5}",
            "8\\.[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{1,3}",
            "2a00::[0-9a-f]{1,4}",
            "[ -~\\n]{0,5}",
            any::<String>()
        ]
    }

    proptest! {
        #[test]
        fn nothing_protected_is_on_any_list(
            texts in prop::collection::vec(any_text(), 0..30),
            protected in prop::collection::vec("8\\.[0-9]{1,2}\\.[0-9]{1,2}\\.0/2[4-9]|2a00::/4[0-8]", 1..4),
        ) {
            let protected: Vec<Network> = protected.iter().filter_map(|text| networks::parse(text)).collect();
            let texts: Vec<Text> = texts.iter().map(|t| Text::new(t.as_str())).collect();
            let candidates: Vec<Candidate> =
                texts.iter().map(|t| Candidate { parts: vec![Some(t)], rule: "r" }).collect();
            for dialect in DIALECTS.iter().filter(|d| matches!(d.holds, Holds::Networks(_))) {
                let accepted = dialect.accept(&candidates, &protected, Widest::CUSTOMER);
                let list = dialect.write(&accepted.entries).expect("within the limit");
                for net in dialect.read(&list).iter().filter_map(|text| networks::parse(text)) {
                    prop_assert!(!protected.iter().any(|p| networks::overlap(p, &net)), "{}: {}", dialect.name, net);
                }
            }
        }

        #[test]
        fn what_is_read_back_is_what_was_accepted(texts in prop::collection::vec(any_text(), 0..30)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            for dialect in DIALECTS {
                let accepted = accepted(dialect, &texts);
                let list = dialect.write(&accepted.entries).expect("within the limit");
                let mut expected: Vec<&str> = accepted.entries.iter().map(|e| e.text.as_str()).collect();
                let found = dialect.read(&list);
                let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
                expected.sort_unstable();
                found.sort_unstable();
                prop_assert_eq!(&found, &expected, "{}: {}", dialect.name, list);
                prop_assert!(found.iter().all(|text| dialect.fault(text).is_none()));
                if list.lines().count() == found.len() {
                    prop_assert!(list.is_empty() || list.ends_with('\n'));
                }
            }
        }
    }
}
