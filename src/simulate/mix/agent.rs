//! User agents with a long tail: a few browsers that many have, and many phones that few have.

use crate::simulate::random::Rng;

/// One user agent with what a tracker reads out of it.
pub struct Agent {
    pub device: &'static str,
    pub os: &'static str,
    pub browser: &'static str,
    pub text: String,
}

/// Every user agent, with weights.
pub struct Agents {
    all: Vec<Agent>,
    /// Index of the first desktop agent: phones and tablets stand before it.
    desktop: usize,
    /// Sum of the weights of all agents before and with this one.
    upto: Vec<u64>,
}

const MODELS: [&str; 28] = [
    "SM-A536B",
    "SM-A135F",
    "SM-A546B",
    "SM-G991B",
    "SM-S918B",
    "SM-A055F",
    "SM-A125F",
    "SM-M336B",
    "Redmi Note 11",
    "Redmi Note 12",
    "Redmi 12C",
    "M2101K6G",
    "2201117TY",
    "22101316G",
    "23021RAAEG",
    "moto g54 5G",
    "moto g(30)",
    "moto e13",
    "CPH2387",
    "CPH2591",
    "RMX3760",
    "RMX3624",
    "V2247",
    "vivo 1906",
    "Infinix X6525",
    "TECNO KI5q",
    "Pixel 7",
    "Pixel 6a",
];
const BUILDS: [(u16, &str); 5] = [
    (15, "AP3A.240905.015.A2"),
    (14, "UP1A.231005.007"),
    (13, "TP1A.220624.014"),
    (12, "SP1A.210812.016"),
    (11, "RP1A.200720.012"),
];
const IOS: [&str; 12] = [
    "18_3_1", "18_3", "18_2_1", "18_1_1", "17_7", "17_6_1", "17_5_1", "17_4_1", "16_7_10", "16_6", "15_8_3",
    "15_6_1",
];
const WEBKIT: &str = "AppleWebKit/537.36 (KHTML, like Gecko)";
const APPLE: &str = "AppleWebKit/605.1.15 (KHTML, like Gecko)";

impl Agents {
    /// The catalogue.
    pub fn new() -> Agents {
        let mut agents = Agents { all: Vec::new(), desktop: 0, upto: Vec::new() };
        agents.android();
        agents.phones_in_apps();
        agents.iphones();
        agents.desktop = agents.all.len();
        agents.desktops();
        agents
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.all.len() as u64
    }

    /// The agent of this index.
    pub fn get(&self, index: u16) -> &Agent {
        &self.all[usize::from(index)]
    }

    /// An agent of a desktop or of something mobile, by its share.
    pub fn some(&self, desktop: bool, rng: &mut Rng) -> u16 {
        let middle = self.upto[self.desktop - 1];
        let end = self.upto[self.upto.len() - 1];
        let at = if desktop { middle + rng.below(end - middle) } else { rng.below(middle) };
        self.upto.partition_point(|&upto| upto <= at) as u16
    }

    /// Any agent, the rare ones as often as the usual ones: what a list of agents to rotate looks like.
    pub fn any(&self, rng: &mut Rng) -> u16 {
        rng.below(self.count()) as u16
    }

    fn add(
        &mut self,
        weight: u64,
        device: &'static str,
        os: &'static str,
        browser: &'static str,
        text: String,
    ) {
        self.upto.push(self.upto.last().copied().unwrap_or(0) + weight);
        self.all.push(Agent { device, os, browser, text });
    }

    fn android(&mut self) {
        for (age, version) in (118..=134).rev().enumerate() {
            let weight = 60_000 / (1 + age as u64 * age as u64);
            let chrome = format!("Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/{version}.0.0.0");
            self.add(weight, "mobile", "Android", "Chrome", format!("{chrome} Mobile Safari/537.36"));
            self.add(weight / 25, "tablet", "Android", "Chrome", format!("{chrome} Safari/537.36"));
            self.add(
                weight / 30,
                "mobile",
                "Android",
                "Opera",
                format!("{chrome} Mobile Safari/537.36 OPR/{}.0.0.0", version - 46),
            );
        }
        for (age, version) in (22..=27).rev().enumerate() {
            let samsung =
                format!("SamsungBrowser/{version}.0 Chrome/{}.0.0.0 Mobile Safari/537.36", 2 * version + 71);
            self.add(
                9_000 >> age,
                "mobile",
                "Android",
                "Samsung",
                format!("Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} {samsung}"),
            );
        }
    }

    fn phones_in_apps(&mut self) {
        for (rank, model) in MODELS.iter().enumerate() {
            for (age, (android, build)) in BUILDS.iter().enumerate() {
                for chrome in [133, 132, 131, 128, 124] {
                    let phone = format!("Linux; Android {android}; {model} Build/{build}; wv");
                    let text = format!(
                        "Mozilla/5.0 ({phone}) {WEBKIT} Version/4.0 Chrome/{chrome}.0.6943.{} Mobile Safari/537.36",
                        30 + rank
                    );
                    self.add(
                        1 + 600 / ((2 + rank as u64) * (1 + age as u64) * (135 - chrome)),
                        "mobile",
                        "Android",
                        "WebView",
                        text,
                    );
                }
            }
        }
    }

    fn iphones(&mut self) {
        for (age, ios) in IOS.iter().enumerate() {
            let weight = 18_000 / (1 + age as u64);
            let phone = format!("Mozilla/5.0 (iPhone; CPU iPhone OS {ios} like Mac OS X) {APPLE}");
            let (major, minor) = ios.split_once('_').unwrap_or((ios, "0"));
            let version = format!("Version/{major}.{}", &minor[..1]);
            self.add(
                weight,
                "mobile",
                "iOS",
                "Safari",
                format!("{phone} {version} Mobile/15E148 Safari/604.1"),
            );
            self.add(
                weight / 12,
                "mobile",
                "iOS",
                "Chrome",
                format!("{phone} CriOS/133.0.6943.120 Mobile/15E148 Safari/604.1"),
            );
            for app in [
                "[FBAN/FBIOS;FBAV/499.0.0.57.109]",
                "[FBAN/FBIOS;FBAV/497.0.0.43.104]",
                "Instagram 368.0.0.33.92",
            ] {
                self.add(1 + weight / 30, "mobile", "iOS", "WebView", format!("{phone} Mobile/15E148 {app}"));
            }
        }
    }

    fn desktops(&mut self) {
        let windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)";
        for (age, version) in (109..=134).rev().enumerate() {
            let weight = 16_000 / (1 + age as u64 * age as u64);
            let chrome = format!("{WEBKIT} Chrome/{version}.0.0.0 Safari/537.36");
            self.add(weight + 30, "desktop", "Windows", "Chrome", format!("{windows} {chrome}"));
            self.add(
                weight / 4 + 10,
                "desktop",
                "Windows",
                "Edge",
                format!("{windows} {chrome} Edg/{version}.0.0.0"),
            );
            self.add(
                weight / 6 + 5,
                "desktop",
                "macOS",
                "Chrome",
                format!("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {chrome}"),
            );
            self.add(
                weight / 9 + 5,
                "desktop",
                "Windows",
                "Opera",
                format!("{windows} {chrome} OPR/{}.0.0.0", version - 15),
            );
            let firefox = format!(
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
            );
            self.add(weight / 9 + 5, "desktop", "Windows", "Firefox", firefox);
        }
        for (weight, version) in [(3_000, "18.3"), (900, "18.1"), (700, "17.6"), (300, "16.6")] {
            let text = format!(
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Version/{version} Safari/605.1.15"
            );
            self.add(weight, "desktop", "macOS", "Safari", text);
        }
    }
}
