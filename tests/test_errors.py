"""Messages name arguments; a command tells them as options."""

import pytest

from gdynet_tf.errors import as_options


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("`n_states=1`: must be at least 2", "--n-states 1: must be at least 2"),
        ("`targets='Li'`: no Li", "--targets Li: no Li"),
        (
            "g: exists; `overwrite=True` replaces it, `out` names another",
            "g: exists; --overwrite replaces it, --out names another",
        ),
        ("`validation=a`: no such trajectory", "--val a: no such trajectory"),
        ("run `a-b`: no argument", "run `a-b`: no argument"),
        ("`start=1` `stop=None` selects none", "--start 1 --stop None selects none"),
    ],
)
def test_arguments_as_options(message, expected):
    assert as_options(message, {"validation": "val"}) == expected
