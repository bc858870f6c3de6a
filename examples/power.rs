//! What a trial of families can detect: `cargo run --example power`.

use crewe::power::binary::{Binary, Method, power};
use crewe::power::{ClusterSize, Direction, Plan};

fn main() -> crewe::Result<()> {
    println!("132 families of 3 at 2:1, baseline 22.6%, ICC .36, power 80%:");
    for method in [Method::Arcsine, Method::Pooled, Method::Unpooled] {
        for direction in [Direction::Rise, Direction::Fall] {
            let answer = power(
                &Binary::new(
                    0.226,
                    method,
                    Plan::default()
                        .clusters(132)
                        .power(0.8)
                        .icc(0.36)
                        .cluster_size(ClusterSize::Mean(3.0))
                        .allocation(2.0 / 3.0),
                )
                .direction(direction),
            )?;
            let solution = &answer.solution;
            match (solution.effect, solution.unattainable) {
                (Some(effect), _) => println!("  {:+.1} points by the {}", 100.0 * effect, method.formula()),
                (None, Some(ceiling)) => println!("  unattainable: power {:.2} at most", ceiling.power),
                (None, None) => {}
            }
        }
    }
    Ok(())
}
