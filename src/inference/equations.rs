//! Corrections of the sandwich of estimating equations for few clusters that are not powers of `I - L_g`.
//!
//! FG (Fay and Graubard) multiplies coefficient j of a cluster's score by `(1 - min(3/4, Q_jj))^{-1/2}`, with
//! `Q = X_g'V_g^{-1}X_g (X'V^{-1}X)^{-1}` in the columns as they are. MBN (Morel, Bokossa and Neerchal) is
//! `kappa M + delta xi I` in whitened columns, with `M = sum t_g t_g'`, `kappa = (n - 1)/(n - k) G/(G - 1)`,
//! `delta = k/(G - k)` but 1/2 with at most 3 k clusters, and `xi = max(1, tr M / k)`. KC (Kauermann and Carroll) and MD
//! (Mancl and DeRouen) are `(I - L_g)^{-1/2}` and `(I - L_g)^{-1}`: the principal root of `I - H_gg`, which is not symmetric,
//! carried over to the score.
//!
//! G. Kauermann and R. J. Carroll (2001), doi:10.1198/016214501753382309; L. A. Mancl and T. A. DeRouen (2001),
//! doi:10.1111/j.0006-341X.2001.00126.x; M. P. Fay and B. I. Graubard (2001), doi:10.1111/j.0006-341X.2001.01198.x;
//! J. G. Morel, M. C. Bokossa and N. K. Neerchal (2003), doi:10.1002/bimj.200390021; P. Li and D. T. Redden (2015),
//! doi:10.1002/sim.6344, for t with G - k.

use nalgebra::{DMatrix, DVector};
use ndarray::{Array1, Array2};

use super::fitted::{Fitted, Moments};
use crate::Result;
use crate::progress::{go_on, watcher};

/// The most that Fay and Graubard let a cluster know of a coefficient.
const BOUND: f64 = 0.75;

/// The middle of FG, k x k.
pub(super) fn fay_graubard(fit: &dyn Fitted) -> Result<Array2<f64>> {
    let k = fit.coef().len();
    let root = fit.bread().coefficients();
    let matrix = DMatrix::from_fn(k, k, |a, b| root[(a, b)]);
    // The factor of a positive definite matrix is never singular.
    let inverse = matrix.try_inverse().unwrap_or_else(|| DMatrix::from_element(k, k, f64::NAN));
    let watcher = watcher();
    let mut moments = Moments::new(k);
    let mut middle = Array2::zeros((k, k));
    for g in 0..fit.clusters().unwrap_or(fit.n()) {
        go_on(&watcher)?;
        fit.moments(g, &mut moments);
        let information =
            Array2::from_shape_vec((k, k), moments.information()).unwrap_or_else(|_| Array2::zeros((k, k)));
        let known = information.dot(&root.t());
        let score = DVector::from_column_slice(moments.score());
        // R'^{-1} t is the score in the columns as they are.
        let mut own = inverse.tr_mul(&score);
        for j in 0..k {
            let share: f64 = (0..k).map(|a| inverse[(a, j)] * known[(a, j)]).sum();
            own[j] /= (1.0 - share.min(BOUND)).sqrt();
        }
        let adjusted = Array1::from_shape_fn(k, |a| (0..k).map(|j| root[(j, a)] * own[j]).sum::<f64>());
        for a in 0..k {
            for b in 0..k {
                middle[(a, b)] += adjusted[a] * adjusted[b];
            }
        }
    }
    Ok(middle)
}

/// The middle of MBN, k x k.
pub(super) fn morel(fit: &dyn Fitted) -> Result<Array2<f64>> {
    let (k, n) = (fit.coef().len() as f64, fit.n() as f64);
    let count = fit.clusters().unwrap_or(fit.n()) as f64;
    let products = fit.score_products()?;
    let kappa = (n - 1.0) / (n - k) * count / (count - 1.0);
    let delta = if count > 3.0 * k { k / (count - k) } else { 0.5 };
    let xi = (products.diag().sum() / k).max(1.0);
    Ok(products * kappa + Array2::<f64>::eye(fit.coef().len()) * (delta * xi))
}
