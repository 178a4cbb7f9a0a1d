//! Clicks that are counted elsewhere: the queries that are printed, and what is refused before and after them.
//!
//! That the queries mean what they should is told by engines: `tests/external/engines.py`.

use crate::runs::Folder;

const TABLES: &str = "tables:\n  clicks:\n    table: tracker.clicks\n    columns: {click_id: id, click_time: ts, source: zone, \
                      traffic_source: net, ip: ip, user_agent: ua, cost: price}\n  conversions:\n    table: sales\n    \
                      columns: {click_id: cid}\n";

const DIALECTS: [&str; 7] = ["bigquery", "clickhouse", "databricks", "duckdb", "snowflake", "spark", "trino"];

fn folder(tables: &str) -> Folder {
    Folder::new().with("clickaudit.yaml", tables)
}

fn printed(tables: &str, dialect: &str) -> String {
    folder(tables).run(&format!("audit --as-of 2026-03-16 --print-sql {dialect}")).exits(0).text()
}

#[test]
fn every_dialect_prints_one_query_of_the_portable_subset() {
    for dialect in DIALECTS {
        let sql = printed(TABLES, dialect);
        assert!(sql.starts_with("-- clickaudit-measures-2, plan ") && sql.contains("UNION ALL"), "{dialect}");
        // What says how long the result is stands once, around everything.
        assert_eq!(sql.matches("COUNT(*) OVER ()").count(), 1, "{dialect}");
        let lower = sql.to_lowercase().replace("count(*) over ()", "");
        for beyond in
            [" over (", "distinct ", "approx", "median", "quantile", " using (", "order by", "interval"]
        {
            assert!(!lower.contains(beyond), "{dialect}: {beyond}");
        }
    }
    assert!(printed(TABLES, "duckdb").contains("FROM \"tracker\".\"clicks\" AS r"));
    assert!(printed(TABLES, "clickhouse").contains("FROM `tracker`.`clicks` AS r"));
}

#[test]
fn the_same_plan_is_the_same_in_every_dialect_and_another_is_not() {
    let digest = |tables: &str, dialect: &str, flags: &str| {
        let line = format!("audit --as-of 2026-03-16 {flags} --print-sql {dialect}");
        let sql = folder(tables).run(&line).exits(0).text();
        sql.split("plan ").nth(1).and_then(|rest| rest.get(..16)).expect("a digest").to_owned()
    };
    let one = digest(TABLES, "duckdb", "");
    assert!(DIALECTS.iter().all(|dialect| digest(TABLES, dialect, "") == one));
    let others = ["--by offer", "--tz Europe/Berlin", "--maturity 48h", "--pack mobile-cpi"];
    assert!(others.iter().all(|flags| digest(
        &TABLES.replace("cost: price", "cost: price, offer: o"),
        "duckdb",
        flags
    ) != one));
    assert_ne!(digest(&TABLES.replace("zone", "zone2"), "duckdb", ""), one);
}

#[test]
fn no_name_of_a_mapping_alters_the_query() {
    let hostile = ["x' OR '1'='1", "x`; DROP TABLE t; --", "a\\\"b", "\\'); --", "zero\u{200b}width", "😀"];
    for name in hostile {
        let yaml = name.replace('\\', "\\\\").replace('"', "\\\"");
        let tables = TABLES
            .replace("zone", &format!("\"{yaml}\""))
            .replace("table: sales", &format!("table: [\"{yaml}\"]"));
        for dialect in DIALECTS {
            let sql = printed(&tables, dialect);
            let mark = if sql.contains('`') && !["duckdb", "snowflake", "trino"].contains(&dialect) {
                '`'
            } else {
                '"'
            };
            let doubled = ["databricks", "duckdb", "snowflake", "spark", "trino"].contains(&dialect);
            let inside = if doubled {
                name.replace(mark, &format!("{mark}{mark}"))
            } else {
                name.replace('\\', "\\\\").replace(mark, &format!("\\{mark}"))
            };
            assert!(sql.contains(&format!("r.{mark}{inside}{mark}")), "{dialect}: {name}");
            assert!(sql.contains(&format!("FROM {mark}{inside}{mark} AS r")), "{dialect}: {name}");
        }
    }
}

#[test]
fn what_is_missing_is_said_before_any_work() {
    let says = |tables: &str, line: &str, phrases: &[&str]| {
        folder(tables).run(&format!("audit {line}")).exits(2).says(phrases);
    };
    let print = "--as-of 2026-03-16 --print-sql duckdb";
    says("by: source\n", print, &["no table of clicks is named", "tables: {clicks:"]);
    says(TABLES, "--print-sql duckdb", &["up to when the clicks reach", "--as-of"]);
    says(TABLES, "--as-of 2026-03-16 --print-sql duckdbb", &["no dialect of SQL", "did you mean duckdb?"]);
    says(
        &TABLES.replace("source: zone", "sorce: zone"),
        print,
        &["`sorce` is no column of clicks", "source"],
    );
    says(&TABLES.replace("click_time: ts, ", ""), print, &["says nothing of click_time"]);
    says(&TABLES.replace("table: sales", "tabel: sales"), print, &["tabel"]);
    says(&TABLES[..TABLES.find("  conversions").unwrap()], print, &["a table of conversions"]);
    says(TABLES, "--clicks x.csv --measures m.parquet", &["counted elsewhere", "--clicks"]);
    says(TABLES, "--portable --measures m.parquet", &["--measures and --portable cannot"]);
    says(TABLES, "--engine-url http://127.0.0.1:1", &["--engine-url needs an engine"]);
    says(TABLES, "--save-measures m.parquet --clicks x.csv", &["--portable"]);
    says(TABLES, "--store s --measures m.parquet", &["--measures and --store"]);
}

#[test]
fn a_zone_for_times_in_tables_is_refused() {
    let print = "--as-of 2026-03-16 --print-sql duckdb";
    let refused = |tables: &str, flags: &str, phrases: &[&str]| {
        folder(tables).run(&format!("audit {flags} {print}")).exits(2).says(phrases);
    };
    let clicks = ["times of clicks are said to be of Europe/Berlin", "tracker.clicks", "conversions=ZONE"];
    refused(TABLES, "--time-zone Europe/Berlin", &clicks);
    refused(TABLES, "--time-zone clicks=Europe/Berlin", &clicks);
    refused(&format!("{TABLES}time_zone: Europe/Berlin\n"), "", &clicks);
    refused(&format!("{TABLES}mapping: {{clicks: {{time_zone: Europe/Berlin}}}}\n"), "", &clicks);
    let sales = TABLES.replace("click_id: cid", "click_id: cid, conversion_time: at");
    refused(&sales, "--time-zone conversions=Europe/Berlin", &["times of conversions are said", "sales"]);
    // Conversions in files may be of any zone, and whoever says UTC says what holds.
    for flags in ["--time-zone conversions=Europe/Berlin", "--time-zone UTC"] {
        folder(TABLES).run(&format!("audit {flags} {print}")).exits(0);
    }
}

#[test]
fn a_period_is_part_of_the_query_and_of_the_plan() {
    let tables = TABLES.replace(
        "table: tracker.clicks",
        "from: 2026-03-01\n    until: 2026-03-16\n    table: tracker.clicks",
    );
    let (whole, part) = (printed(TABLES, "duckdb"), printed(&tables, "duckdb"));
    assert!(
        part.contains("WHERE a.click_time >= 1772323200000000 AND a.click_time < 1773619200000000"),
        "{part}"
    );
    assert!(!whole.contains("AS a WHERE"), "{whole}");
    let digest = |sql: &str| sql.split("plan ").nth(1).and_then(|rest| rest.get(..16)).map(str::to_owned);
    assert_ne!(digest(&whole), digest(&part));
    let shown = folder(&tables).run("config show --origin").exits(0).text();
    assert!(shown.contains("tables.clicks.until") && shown.contains("clickaudit.yaml:4"), "{shown}");
}

#[test]
fn scripts_write_their_result_where_they_are_told() {
    let script = |place: &str| folder(TABLES).run(&format!("audit --as-of 2026-03-16 --print-sql {place}"));
    for dialect in ["spark", "databricks"] {
        let text = script(&format!("{dialect}=s3://lake/measures")).exits(0).text();
        let begins = "\nSET TIME ZONE 'UTC';\nINSERT OVERWRITE DIRECTORY 's3://lake/measures' USING parquet\nWITH ca_exported";
        assert!(text.starts_with("-- clickaudit-measures-2, plan ") && text.contains(begins), "{text}");
        assert!(text.ends_with("AS w;\n"), "{text}");
    }
    let text = script("duckdb=m.parquet").exits(0).text();
    assert!(
        text.contains("\nCOPY (\nWITH") && text.ends_with("\n) TO 'm.parquet' (FORMAT parquet);\n"),
        "{text}"
    );
    script("trino=m.parquet").exits(2).says(&["no statement of trino writes", "databricks, duckdb, spark"]);
}

#[test]
fn no_amount_is_multiplied_in_its_own_type() {
    for dialect in DIALECTS {
        let sql = printed(TABLES, dialect);
        let price = sql.lines().filter(|line| line.contains("price")).collect::<Vec<_>>().join("\n");
        assert!(price.contains("CAST(r.") && !price.contains('*'), "{dialect}: {price}");
        assert!(sql.contains("a.cost * 1e9"), "{dialect}");
    }
}

#[test]
fn only_results_of_the_plan_are_read() {
    let folder = folder(TABLES).with("no.parquet", "nothing");
    folder.run("audit --measures no.parquet").exits(3).says(&["no.parquet"]);
    folder.run("audit --measures nowhere.parquet").exits(3).says(&["nowhere.parquet"]);
    let sample = Folder::of_sample().with("clickaudit.yaml", TABLES);
    let line = "audit clicks.csv conversions.csv --portable --save-measures m.parquet -q -o csv=here.csv";
    sample.run(line).exits(0);
    sample.run("audit --measures m.parquet -o csv=there.csv").exits(3).says(&[
        "m.parquet",
        "counted from files",
        "audit the files themselves",
    ]);
    assert!(!sample.files().contains(&"there.csv".to_owned()));
    std::fs::create_dir(sample.path("parts")).expect("a folder");
    sample.run("audit --measures parts").exits(3).says(&["parts is a folder without files"]);
}

#[test]
fn conversions_are_looked_for_in_one_place() {
    let tables = TABLES.replace("click_id: cid", "click_id: cid, conversion_time: at");
    let sample = Folder::of_sample().with("clickaudit.yaml", &tables);
    sample
        .run("audit --conversions conversions.csv --as-of 2026-03-16 --print-sql duckdb")
        .exits(2)
        .says(&["conversions stand in files, and sales is named", "click IDs alone"]);
}

#[test]
fn what_no_engine_counts_is_absent_with_the_reason() {
    let sample = Folder::of_sample();
    let report = sample.report("clicks.csv conversions.csv --portable -q");
    let absent = report["coverage"]["absent_signals"].to_string();
    assert!(
        absent.contains("not computed on an engine: it needs the clicks of a group in the order of time"),
        "{absent}"
    );
    assert!(report["sources"].as_array().is_some_and(|sources| !sources.is_empty()));
}
