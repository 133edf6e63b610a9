"""The choice of lag time and number of states, by what data that were not trained on say."""

from gdynet_tf.learning.selection.candidates import Candidate, Shortfall, scan_lags
from gdynet_tf.learning.selection.choice import Selection, disagreement, recommend, select_model

__all__ = ["Candidate", "Selection", "Shortfall", "disagreement", "recommend", "scan_lags", "select_model"]
