"""What type checkers must refuse: a word that an argument does not take. An ignore that ignores nothing is an error."""

import crewe as cw
import pandas as pd

data = pd.DataFrame()

cw.ols("y ~ arm", data, cluster="family", vcov="hansen").vcov("CR2", df="residual")
cw.ols("y ~ arm", data, cluster="family", vcov="CR9")  # type: ignore[call-overload]
cw.ols("y ~ arm", data, missing="zero")  # type: ignore[call-overload]
cw.logit("c ~ arm", data, penalty="ridge")  # type: ignore[call-overload]
cw.logit("c ~ arm", data, vcov="hansen")  # type: ignore[call-overload]
cw.gee("c ~ arm", data, cluster="family", corstr="ar1")  # type: ignore[call-overload]
cw.mixed("y ~ arm", data, cluster="family", vcov="KC")  # type: ignore[call-overload]
cw.coxph("Surv(t, e) ~ arm", data, ties="exact")  # type: ignore[call-overload]
cw.cluster_level("y ~ arm", data, cluster="family", weight="rows")  # type: ignore[call-overload]
cw.mann_whitney("y ~ arm", data, alternative="larger")  # type: ignore[arg-type]
cw.randomisation_test(cw.ols("y ~ arm", data), residuals="full")  # type: ignore[arg-type]
cw.wild_bootstrap(cw.ols("y ~ arm", data), "arm", kind="22")  # type: ignore[arg-type]
cw.ols("y ~ arm", data).margins("arm", at="median")  # type: ignore[arg-type]
cw.kaplan_meier("Surv(t, e) ~ arm", data, conf_type="logit")  # type: ignore[arg-type]
