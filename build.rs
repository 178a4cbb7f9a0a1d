//! Embeds `rules/<theme>/*.yml`, `src/ingest/presets/*.yml` and the examples of diagnostics, so that the program needs no files beside it.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=rules");
    println!("cargo::rerun-if-changed=src/ingest/presets");
    EXAMPLES.iter().for_each(|(_, folder)| println!("cargo::rerun-if-changed={folder}"));
    let mut files = Vec::new();
    for theme in sorted(Path::new("rules"))?.into_iter().filter(|p| p.is_dir()) {
        files.extend(yml(&theme)?);
    }
    let rows: String = files.iter().map(|p| row(p)).collect();
    let table = format!(
        "/// Path and content of every built-in rule file.\nstatic FILES: &[(&str, &str)] = &[\n{rows}];\n"
    );
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo gave no OUT_DIR"))?;
    fs::write(Path::new(&out).join("rules.rs"), table)?;
    fs::write(Path::new(&out).join("examples.rs"), examples()?)?;
    fs::write(Path::new(&out).join("presets.rs"), presets()?)
}

/// Folders of rule files that show a fault, and how it is mended.
const EXAMPLES: [(&str, &str); 2] = [("BROKEN", "tests/bad-rules"), ("MENDED", "tests/mended-rules")];

fn examples() -> io::Result<String> {
    let mut tables = String::new();
    for (name, folder) in EXAMPLES {
        let mut files = Vec::new();
        below(Path::new(folder), &mut files)?;
        // As bytes: one of the faults is a file that is no text.
        let bytes = |path: &PathBuf| {
            row(path).replacen("include_str!", "include_bytes!", 1).replacen(")),\n", ") as &[u8]),\n", 1)
        };
        let rows: String = files.iter().map(bytes).collect();
        tables += &format!("static {name}: &[(&str, &[u8])] = &[\n{rows}];\n");
    }
    Ok(tables)
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for path in sorted(folder)? {
        match path.is_dir() {
            true => below(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

fn presets() -> io::Result<String> {
    let files = yml(Path::new("src/ingest/presets"))?;
    let named = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        row(path).replacen(&format!("{:?}", joined(path)), &format!("{name:?}"), 1)
    };
    let rows: String = files.iter().map(named).collect();
    Ok(format!(
        "/// Every built-in preset: its name and its file.\npub static PRESETS: &[(&str, &str)] = &[\n{rows}];\n"
    ))
}

fn yml(folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(sorted(folder)?.into_iter().filter(|p| p.extension().is_some_and(|e| e == "yml")).collect())
}

fn joined(path: &Path) -> String {
    path.iter().map(|p| p.to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn row(path: &Path) -> String {
    let name = joined(path);
    format!(
        "    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?}))),\n",
        format!("/{name}")
    )
}

fn sorted(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}
