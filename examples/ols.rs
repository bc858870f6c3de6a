//! The effect of a programme on families' outcomes, with errors that know that siblings share an arm.
//!
//! `cargo run --example ols`

use crewe::inference::{Clusters, Vcov};
use crewe::regression::Ols;
use crewe::rng::{Seed, Stream};
use ndarray::{Array1, Array2};

fn main() -> crewe::Result<()> {
    // Synthetic: 40 families of three children, an arm by family, an age by child, an outcome that siblings share.
    let mut stream = Stream::new::<&str>(&Seed::Integer(2017), "example", &[], 0);
    let family: Vec<u32> = (0..120).map(|child| child / 3).collect();
    let effects: Vec<f64> = (0..40).map(|_| stream.normal()).collect();
    let x = Array2::from_shape_fn((120, 2), |(child, column)| match column {
        0 => f64::from(family[child] % 2),
        _ => 4.0 + 12.0 * stream.unit(),
    });
    let y = Array1::from_shape_fn(120, |child| {
        0.4 * x[(child, 0)] + 0.05 * x[(child, 1)] + effects[family[child] as usize] + stream.normal()
    });

    let fit = Ols::new(y.view(), x.view()).named("score", ["arm", "age"])?.fit()?;
    let families = Clusters::new(&family)?;
    println!("effect of the arm: {:.3}", fit.coef()[1]);
    let arm = ndarray::array![[0.0, 1.0, 0.0]];
    for kind in [Vcov::Iid, Vcov::Hc1, Vcov::Cr1s, Vcov::Cr2] {
        let covariance = fit.vcov(kind, Some(&families))?;
        let test = covariance.contrasts(arm.view(), 0.95)?;
        println!(
            "{:<5} standard error {:.3}, {:6.1} degrees of freedom, p = {:.3}, 95% {:.3} to {:.3}",
            kind.name(),
            test.std_error[0],
            test.df[0],
            test.p_value[0],
            test.conf_low[0],
            test.conf_high[0]
        );
        for note in covariance.notes() {
            println!("      note: {note}");
        }
    }
    Ok(())
}
