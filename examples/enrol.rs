//! Enrols families from a CSV file into a ledger and prints the receipts.
//!
//! `CREWE_KEY=… cargo run --example enrol -- families.csv trial.ledger`; without arguments it shows itself on a small
//! file of its own. The columns are family, children (separated by semicolons), history, approved_by, at, request.
//! Lines that were enrolled before get their first answer, so the same file can be given again after a crash.

use std::path::{Path, PathBuf};

use crewe::design::{Blocks, Design};
use crewe::ledger::{Application, Ledger, Rules, Time, key_from_environment};
use crewe::rng::Seed;
use crewe::{Fault, Result};

const SHOWN: &str = "family,children,history,approved_by,at,request
F001,C001;C002,no,A. Officer,2017-03-01T09:30:00Z,r1
F002,C003,yes,A. Officer,2017-03-01T11:00:00Z,r2
F003,C004;C005;C006,no,B. Officer,2017-03-02T10:15:00+00:00,r3
F003,C004;C005;C006,no,B. Officer,2017-03-02T10:15:00+00:00,r3
F004,C006,no,A. Officer,2017-03-02T12:00:00Z,r4
";

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if let [csv, ledger] = &arguments[..] {
        let text = std::fs::read_to_string(csv).map_err(|error| unreadable(csv, &error))?;
        return enrol(&text, ledger, key_from_environment()?);
    }
    let folder = std::env::temp_dir().join(format!("crewe-enrol-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| unreadable(&folder, &error))?;
    let done = enrol(SHOWN, &folder.join("trial.ledger"), Seed::new_key()?);
    std::fs::remove_dir_all(&folder).map_err(|error| unreadable(&folder, &error))?;
    done
}

fn enrol(csv: &str, path: &Path, key: Seed) -> Result<()> {
    let ledger = if path.exists() {
        // A real trial passes the head of its last receipt here.
        Ledger::open(path, &key, None)?
    } else {
        let design = Design::new("Project Crewe")
            .arm("control", 1)
            .arm("crewe", 2)
            .cluster("family_id")
            .strata(["history"])
            .method(Blocks::new([3, 6]))
            .seed(key);
        let levels = vec![vec!["no".to_owned(), "yes".to_owned()]];
        Ledger::create_at(
            path,
            &design,
            &Rules::default().levels(levels),
            "2017-03-01T09:00:00Z".parse::<Time>()?,
        )?
    };
    println!("commitment {}", ledger.commitment()?.digest);
    for (number, line) in csv.lines().enumerate().skip(1) {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let [family, children, history, approved_by, at, request] = cells[..] else {
            return Err(Fault::new("a line has not six columns").rows([number]).input());
        };
        let application = Application::new(family)
            .children(children.split(';').filter(|child| !child.is_empty()))
            .stratum([history])
            .approved_by(approved_by)
            .at(at.parse::<Time>()?)
            .request(request);
        match ledger.enrol(&application) {
            Ok(receipt) => {
                let arm = receipt.placement.map_or_else(String::new, |place| place.arm);
                let again = if receipt.again { " (answered before)" } else { "" };
                println!("{family} {arm}{again}, receipt {}", receipt.head);
            }
            Err(error) => println!("{family} not enrolled: {error}"),
        }
    }
    let verified = ledger.verify(Some(&ledger.head()?))?;
    println!(
        "{} families, {} children, {} events whole",
        verified.families, verified.children, verified.events
    );
    println!("lodge this head with somebody else: {}", verified.head);
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> crewe::Error {
    Fault::new("a file cannot be used").values([format!("{}: {error}", path.display())]).input()
}
