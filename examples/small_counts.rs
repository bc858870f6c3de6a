//! Re-referrals, staff scores and a sample beside national figures, without a model.

use crewe::nonparametric::{
    Alternative, MannWhitneyOptions, PermutationOptions, chan_zhang, fisher_test, mann_whitney, newcombe,
    permutation_test, prevalence,
};
use crewe::progress::NoMonitor;

fn main() -> crewe::Result<()> {
    let (events, totals) = ([5, 3], [83, 45]);
    let fisher = fisher_test(events, totals, Alternative::TwoSided, 0.95)?;
    let score = newcombe(events, totals, 0.95)?;
    let exact = chan_zhang(events, totals, 0.95, &NoMonitor)?.interval;
    println!("re-referred: 5/83 against 3/45, Fisher p = {:.3}", fisher.p_value);
    println!("  difference by Newcombe {:+.3} to {:+.3}", score.low, score.high);
    println!("  exact unconditional    {:+.3} to {:+.3}", exact.low, exact.high);

    let crewe = [14.0, 15.0, 17.0, 18.0, 18.0, 19.0, 20.0, 21.0];
    let control = [18.0, 20.0, 22.0, 24.0, 27.0];
    let ranks = mann_whitney(&crewe, &control, &MannWhitneyOptions::default(), &NoMonitor)?;
    println!("stress: P(crewe > control) = {:.3}, exact p = {:.4}", ranks.superiority, ranks.p_value);

    let means = permutation_test(&crewe, &control, &PermutationOptions::default(), &NoMonitor)?;
    let count = means.labellings.unwrap_or_else(|| "all".into());
    println!(
        "  difference in means {:.2}, p = {:.4} over {count} labellings",
        means.difference, means.p_value
    );

    let violence = prevalence(14, 30, 0.496, Alternative::TwoSided, 0.95)?;
    let percent = [violence.rate, violence.interval.low, violence.interval.high].map(|share| 100.0 * share);
    println!("domestic violence: {:.1}% ({:.1}% to {:.1}%) beside 49.6%", percent[0], percent[1], percent[2]);
    Ok(())
}
