//! What is done once, before the first audit: a project file, completions, manual pages.

use crate::runs::{Folder, project};

#[test]
fn a_new_project_file_runs_as_soon_as_the_exports_are_there() {
    let folder = Folder::new();
    folder.run("init").exits(0).says(&["wrote clickaudit.yaml", "clickaudit audit"]);
    folder.run("audit").exits(3).says(&["exports/clicks-*.csv"]);
    std::fs::create_dir(folder.path("exports")).unwrap();
    for side in ["clicks", "conversions"] {
        let sample = project("sample-data").join(format!("{side}.csv"));
        std::fs::copy(sample, folder.path(&format!("exports/{side}-2026-03-08.csv"))).unwrap();
    }
    let table = folder.run("audit").exits(0).text();
    assert!(table.contains("block"), "{table}");
}

#[test]
fn a_project_file_is_never_written_over() {
    let folder = Folder::new().with("clickaudit.yaml", "by: offer\n");
    folder.run("init").exits(5).says(&["it is there already"]);
    assert_eq!(folder.text("clickaudit.yaml"), "by: offer\n");
}

#[test]
fn a_preset_brings_its_inputs_and_its_traps() {
    let folder = Folder::new();
    folder.run("init --preset voluum day.yaml").exits(0);
    let text = folder.text("day.yaml");
    assert!(text.contains("\npreset: voluum\n") && text.contains("12-hour"), "{text}");
    folder.run("init --preset volum other.yaml").exits(2).says(&["voluum"]);
    assert_eq!(folder.files(), ["day.yaml"]);
}

#[test]
fn each_value_is_shown_with_who_set_it() {
    let folder = Folder::new().with("clickaudit.yaml", "# mine\nclicks: [c.csv]\nmaturity: 6h\n");
    let shown = folder.run("config show --origin --by campaign").exits(0).text();
    let line = |key: &str| shown.lines().find(|l| l.starts_with(key)).unwrap_or_default().to_owned();
    assert!(line("clicks ").ends_with("clickaudit.yaml:2"), "{shown}");
    assert!(line("maturity ").contains("6h") && line("maturity ").ends_with("clickaudit.yaml:3"), "{shown}");
    assert!(line("by ").contains("campaign") && line("by ").ends_with("--by"), "{shown}");
    assert!(line("fdr ").ends_with("default"), "{shown}");
    let json = folder.run("config show --format json").exits(0).json();
    let first = &json["settings"][0];
    assert_eq!(
        (first["key"].as_str(), first["origin"].as_str()),
        (Some("clicks"), Some("clickaudit.yaml:2"))
    );
}

#[test]
fn a_faulty_project_file_is_refused_as_an_audit_would() {
    let folder = Folder::new().with("clickaudit.yaml", "maturty: 6h\n");
    folder.run("config show").exits(2).says(&["clickaudit.yaml:1", "maturity"]);
}

#[test]
fn the_users_own_file_comes_after_the_folders() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("config/clickaudit")).unwrap();
    std::fs::write(folder.path("config/clickaudit/config.yaml"), "by: offer\n").unwrap();
    let shown = || {
        let mut command = folder.command("config show --origin");
        command.env("XDG_CONFIG_HOME", folder.path("config"));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(shown().contains("config/clickaudit/config.yaml:1"), "{}", shown());
    std::fs::write(folder.path("clickaudit.yaml"), "by: campaign\n").unwrap();
    assert!(shown().contains("campaign") && !shown().contains("config.yaml:1"), "{}", shown());
}

#[test]
fn shells_and_manuals_know_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = folder.run(&format!("completions {shell}")).exits(0).text();
        assert!(
            ["audit", "blocklist", "max-spend-share"].iter().all(|word| script.contains(word)),
            "{shell}"
        );
    }
    let page = folder.run("man").exits(0).text();
    assert!(page.contains(".TH") && page.contains("audit"), "{page}");
    folder.run("man --folder pages").exits(0);
    let pages: Vec<String> = std::fs::read_dir(folder.path("pages"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    for page in ["clickaudit.1", "clickaudit-audit.1", "clickaudit-blocklist-apply.1"] {
        assert!(pages.iter().any(|name| name == page), "{page} of {pages:?}");
    }
}
