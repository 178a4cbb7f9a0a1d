//! What user agents say, each distinct one read once: browser family, operating system, whether it is run
//! without a screen, and whether a crawler list knows it.
//!
//! A user agent is a claim. The tables name what is common and stay silent on the rest; no version is read, since
//! browsers freeze them.

use super::crawlers::Crawlers;
use hashbrown::HashMap;
use std::sync::{Mutex, PoisonError};

/// What one user agent says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    pub family: Option<&'static str>,
    pub os: Option<&'static str>,
    pub headless: bool,
    /// On the crawler list, if there is one.
    pub crawler: Option<bool>,
}

/// A word of a user agent, and what it tells.
type Word = (&'static str, &'static str);

/// Browser families: the first word that is there wins, so whoever pretends to be another stands before it.
const FAMILIES: &[Word] = &[
    ("HeadlessChrome", "Headless Chrome"),
    ("PhantomJS", "PhantomJS"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edg/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("OPiOS/", "Opera"),
    ("Opera", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("YaBrowser/", "Yandex Browser"),
    ("UCBrowser/", "UC Browser"),
    ("MiuiBrowser/", "MIUI Browser"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("HeyTapBrowser/", "HeyTap Browser"),
    ("VivoBrowser/", "Vivo Browser"),
    ("Vivaldi/", "Vivaldi"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("FBAN/", "Facebook"),
    ("FBAV/", "Facebook"),
    ("FB_IAB/", "Facebook"),
    ("Instagram ", "Instagram"),
    ("BytedanceWebview", "TikTok"),
    ("musical_ly", "TikTok"),
    ("TikTok", "TikTok"),
    ("Snapchat", "Snapchat"),
    ("Telegram", "Telegram"),
    ("MicroMessenger/", "WeChat"),
    (" Line/", "Line"),
    ("GSA/", "Google app"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("; wv)", "Android WebView"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("MSIE ", "Internet Explorer"),
    ("Trident/", "Internet Explorer"),
    ("Dalvik/", "Dalvik"),
    ("okhttp/", "okhttp"),
    ("CFNetwork/", "CFNetwork"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python-", "Python"),
    ("Python/", "Python"),
    ("Python-urllib", "Python"),
    ("Go-http-client/", "Go"),
    ("Java/", "Java"),
    ("Apache-HttpClient/", "Java"),
    ("libwww-perl", "Perl"),
    ("node-fetch", "Node.js"),
    ("axios/", "Node.js"),
    ("Safari/", "Safari"),
];

/// Operating systems: the first word that is there wins.
const SYSTEMS: &[Word] = &[
    ("Windows Phone", "Windows Phone"),
    ("Windows", "Windows"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("iPod", "iOS"),
    ("Tizen", "Tizen"),
    ("KAIOS", "KaiOS"),
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Web0S", "webOS"),
    ("webOS", "webOS"),
    ("PlayStation", "PlayStation"),
    ("Nintendo", "Nintendo"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("Darwin/", "macOS or iOS"),
    ("Linux", "Linux"),
    ("X11", "Linux"),
];

/// What drives a browser without a screen writes itself into the user agent, unless it is told not to.
const HEADLESS: &[&str] = &[
    "HeadlessChrome",
    "Headless",
    "PhantomJS",
    "SlimerJS",
    "Puppeteer",
    "Playwright",
    "Selenium",
    "jsdom/",
    "HtmlUnit",
];

/// So many distinct user agents are remembered; what comes after them is read again each time.
const REMEMBERED: usize = 1 << 20;

/// A longer one is read up to here.
const LONGEST: usize = 2_048;

/// All user agents read so far.
#[derive(Default)]
pub struct Agents {
    crawlers: Option<Crawlers>,
    read: Mutex<HashMap<Box<[u8]>, Agent>>,
}

impl Agents {
    /// With a list of crawlers.
    pub fn with(crawlers: Crawlers) -> Agents {
        Agents { crawlers: Some(crawlers), read: Mutex::default() }
    }

    /// Number of patterns of the crawler list, if there is one.
    pub fn patterns(&self) -> Option<usize> {
        self.crawlers.as_ref().map(Crawlers::len)
    }

    /// What a user agent says; each distinct one is read once.
    pub fn of(&self, text: &[u8]) -> Agent {
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(text).copied();
        known.unwrap_or_else(|| {
            let agent = self.parse(text);
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            if read.len() < REMEMBERED {
                read.insert(text.into(), agent);
            }
            agent
        })
    }

    fn parse(&self, text: &[u8]) -> Agent {
        let text = &text[..text.len().min(LONGEST)];
        let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
        let first = |words: &[Word]| words.iter().find(|(word, _)| has(word)).map(|(_, name)| *name);
        Agent {
            family: first(FAMILIES),
            os: first(SYSTEMS),
            headless: HEADLESS.iter().any(|word| has(word)),
            crawler: self.crawlers.as_ref().map(|crawlers| crawlers.know(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, family: Option<&str>, os: Option<&str>, headless: bool) {
        let agent = Agents::default().of(text.as_bytes());
        assert_eq!(
            (agent.family, agent.os, agent.headless, agent.crawler),
            (family, os, headless, None),
            "{text}"
        );
    }

    #[test]
    fn common_user_agents_are_told_apart() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (system, tail, family, os) in [
            ("Windows NT 10.0; Win64; x64", "Chrome/126.0.0.0 Safari/537.36", "Chrome", "Windows"),
            (
                "Windows NT 10.0; Win64; x64",
                "Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
                "Edge",
                "Windows",
            ),
            ("Linux; Android 10; K", "Chrome/126.0.0.0 Mobile Safari/537.36", "Chrome", "Android"),
            (
                "Linux; Android 13; SM-A536B",
                "SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
                "Samsung Internet",
                "Android",
            ),
            (
                "Linux; Android 12; SM-G991B; wv",
                "Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36",
                "Android WebView",
                "Android",
            ),
            (
                "iPhone; CPU iPhone OS 17_5 like Mac OS X",
                "Version/17.5 Mobile/15E148 Safari/604.1",
                "Safari",
                "iOS",
            ),
            (
                "iPhone; CPU iPhone OS 17_5 like Mac OS X",
                "CriOS/126.0.0.0 Mobile/15E148 Safari/604.1",
                "Chrome",
                "iOS",
            ),
            ("Macintosh; Intel Mac OS X 10_15_7", "Version/17.5 Safari/605.1.15", "Safari", "macOS"),
            ("X11; Linux x86_64", "Chrome/126.0.0.0 Safari/537.36 OPR/112.0.0.0", "Opera", "Linux"),
            ("X11; CrOS x86_64 14541.0.0", "Chrome/126.0.0.0 Safari/537.36", "Chrome", "ChromeOS"),
        ] {
            check(&format!("Mozilla/5.0 ({system}) {webkit} {tail}"), Some(family), Some(os), false);
        }
        check(
            "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
            Some("Firefox"),
            Some("Linux"),
            false,
        );
        check("python-requests/2.32", Some("Python"), None, false);
        check("", None, None, false);
        check("unheard of", None, None, false);
    }

    #[test]
    fn browsers_without_a_screen_are_found() {
        let text = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36";
        check(text, Some("Headless Chrome"), Some("Linux"), true);
        check(
            "Mozilla/5.0 (Unknown; Linux x86_64) PhantomJS/2.1.1 Safari/538.1",
            Some("PhantomJS"),
            Some("Linux"),
            true,
        );
    }

    #[test]
    fn a_user_agent_is_read_once() {
        let agents = Agents::default();
        let first = agents.of(b"curl/8.0");
        assert_eq!(agents.of(b"curl/8.0"), first);
        assert_eq!(agents.read.lock().expect("nobody panicked").len(), 1);
    }

    #[test]
    fn no_word_hides_behind_another() {
        for table in [FAMILIES, SYSTEMS] {
            for (at, (word, name)) in table.iter().enumerate() {
                let hidden =
                    table[..at].iter().find(|(before, other)| word.contains(before) && other != name);
                assert_eq!(hidden, None, "{word}");
            }
        }
    }
}
