//! Checks that the targets of links exist.

use std::{collections::BTreeSet, path::Path};

use crate::guide::{Guide, root};

#[test]
fn every_link_to_a_file_leads_to_one() {
    let further = ["README.md", "layers/README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(Guide::read);
    for guide in Guide::all().iter().chain(&further) {
        for target in targets(&guide.text) {
            let folder = Path::new(&guide.path).parent().unwrap();
            let file = root().join(folder).join(target);
            assert!(file.exists(), "{} links to {target}, which is not there", guide.path);
        }
    }
}

/// A guide defines every link name that it uses. In rustdoc the names are links to modules.
#[test]
fn every_name_in_brackets_is_defined_and_every_definition_is_used() {
    for guide in Guide::all() {
        let defined: BTreeSet<&str> = definitions(&guide.text).map(|(name, _)| name).collect();
        let used: BTreeSet<&str> = defined
            .iter()
            .copied()
            .filter(|name| {
                let uses = guide.text.matches(&format!("[{name}]")).count();
                uses > 1
            })
            .collect();
        assert_eq!(used, defined, "{}", guide.path);
        for name in ["auth", "clients", "deployment", "hosts", "permissions", "protocol", "resume", "storage"]
        {
            let called = guide.text.contains(&format!("[{name}]"));
            assert!(!called || defined.contains(name), "{} does not define {name}", guide.path);
        }
    }
}

#[test]
fn every_guide_is_in_the_crates_documentation() {
    let module = std::fs::read_to_string(root().join("src/guide.rs")).unwrap();
    for guide in Guide::all().iter().filter(|guide| guide.path != "docs/README.md") {
        let file = guide.path.trim_start_matches("docs/");
        assert!(module.contains(&format!("\"{file}\"")), "{file} is not in src/guide.rs");
    }
}

/// Returns the relative targets of links, without their fragments.
fn targets(text: &str) -> BTreeSet<&str> {
    let inline = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let defined = definitions(text).map(|(_, target)| target);
    inline
        .chain(defined)
        .filter(|target| !target.contains("://") && !target.contains("::"))
        .filter_map(|target| target.split('#').next())
        .filter(|target| !target.is_empty())
        .collect()
}

/// Returns the definitions `[name]: target` outside of code.
fn definitions(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: "))
}
