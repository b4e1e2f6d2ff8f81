"""XGBoost, imported as where scikit-learn is not installed, unless that is loaded already.

XGBoost looks for scikit-learn to base its estimators on. Only boosters are used here, and finding it would take two
thirds of the import's time: 2 s of each start on a slow machine.
"""

from __future__ import annotations

from berth.loading import replaced

with replaced("sklearn", None):
    import xgboost

__all__ = ["xgboost"]
