"""A standard VAMPnet: from the coordinates of all targets to the state of the system as a whole.

The paper's baseline for global dynamics. It knows neither that equal sites are equal nor that targets are, so what it
finds is the slowest change of where the targets are.
"""

from typing import Any

import keras
from keras import ops

from gdynet_tf.networks.layers import StateMap, Tensor

__all__ = ["VAMPnet"]


@keras.saving.register_keras_serializable("gdynet_tf")
class VAMPnet(keras.Model):
    """Fully connected VAMPnet (Mardt et al. 2018, Nat. Commun. 9, 5).

    Parameters
    ----------
    n_states : int
    n_coordinates : int
        Length of the input: cosine and sine of each target's three fractional coordinates.
    n_layers, n_features : int
        Number and width of the hidden layers.
    precision : str
        Policy of the hidden layers: "float32" or "mixed_float16".
    """

    def __init__(
        self,
        n_states: int,
        n_coordinates: int,
        n_layers: int = 3,
        n_features: int = 64,
        precision: str = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        for name, value, least in (("n_states", n_states, 2), ("n_layers", n_layers, 1), ("n_features", n_features, 1)):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        self.n_states, self.n_coordinates = n_states, n_coordinates
        self.n_layers, self.n_features, self.precision = n_layers, n_features, precision
        self.hidden = [
            keras.layers.Dense(n_features, activation="elu", dtype=precision, name=f"hidden_{i}")
            for i in range(n_layers)
        ]
        self.states = keras.layers.Dense(n_states, activation="softmax", dtype="float32", name="states")
        self.state_map = StateMap(n_states, dtype="float32", name="state_map")
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """All shapes follow from the arguments, so weights exist from the start."""
        for i, layer in enumerate(self.hidden):
            layer.build((None, self.n_features if i else self.n_coordinates))
        self.states.build((None, self.n_features))
        self.state_map.build()
        self.built = True

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """State probabilities of the system, as those of a single target.

        Parameters
        ----------
        inputs : dict
            ``coordinates`` (..., n_coordinates). Leading axes are free: (B,) for single frames, (B, 2) for pairs.

        Returns
        -------
        tensor (..., 1, n_states) float32
        """
        x = inputs["coordinates"]  # (..., n_coordinates)
        for layer in self.hidden:
            x = layer(x)  # (..., F)
        return ops.expand_dims(self.state_map(self.states(x)), -2)

    def compute_output_shape(self, input_shape: dict[str, tuple]) -> tuple:
        return (*input_shape["coordinates"][:-1], 1, self.n_states)

    def get_config(self) -> dict[str, Any]:
        own = {
            "n_states": self.n_states,
            "n_coordinates": self.n_coordinates,
            "n_layers": self.n_layers,
            "n_features": self.n_features,
            "precision": self.precision,
        }
        return {**super().get_config(), **own}
