"""Residence times, first passages, committors, estimators, bootstrap, global matrix: exact cases and deeptime."""

import deeptime.markov.tools.analysis as msm
import numpy as np
import pytest
from scipy.linalg import expm

from gdynet_tf import analysis as ga

K3 = np.array([[0.9, 0.1, 0.0], [0.05, 0.85, 0.1], [0.0, 0.3, 0.7]])


def random_matrix(n, seed):
    K = np.random.default_rng(seed).random((n, n)) + 3 * np.eye(n)
    return K / K.sum(axis=1, keepdims=True)


def rates_of(seed, n=5, slow=1.0):
    """Random rates (n, n) per unit of time; with ``slow`` the relaxations are about 1 / slow."""
    rng = np.random.default_rng(seed)
    Q = rng.uniform(0.05, 0.5, (n, n)) * slow
    np.fill_diagonal(Q, 0)
    return Q - np.diag(Q.sum(axis=1))


@pytest.mark.parametrize("lag_over_t2", [0.1, 0.5, 1, 2])
def test_times_do_not_depend_on_the_lag(lag_over_t2):
    """Residence and first passage times of a process in continuous time, whatever the lag it is looked at."""
    Q = rates_of(3)
    lag = lag_over_t2 / np.sort(-np.linalg.eigvals(Q).real)[1]
    K = expm(Q * lag)
    np.testing.assert_allclose(ga.residence_times(K, lag), -1 / np.diag(Q), rtol=1e-6)
    exact = np.zeros(5)
    exact[1:] = np.linalg.solve(-Q[1:, 1:], np.ones(4))
    np.testing.assert_allclose(ga.mean_first_passage_times(K, 0, lag), exact, rtol=1e-6)
    # What a step per lag time would say: longer, the more the longer the lag.
    assert (lag / (1 - np.diag(K)) > -1 / np.diag(Q)).all()
    assert ga.residence_times(np.eye(2))[0] == np.inf


@pytest.mark.parametrize("seed", range(3))
def test_paths_against_deeptime(seed):
    """deeptime steps in discrete time; with a step far below all rates the two are the same."""
    from deeptime.markov.msm import MarkovStateModel

    Q, step = rates_of(seed), 1e-5
    K, small = expm(Q * 0.5), expm(Q * step)
    np.testing.assert_allclose(ga.mean_first_passage_times(K, [1, 3], 0.5), step * msm.mfpt(small, [1, 3]), rtol=1e-4)
    np.testing.assert_allclose(ga.committor(K, 0, [2, 4]), msm.committor(small, [0], [2, 4]), rtol=1e-4)
    expected = MarkovStateModel(small).reactive_flux([0], [2, 4])
    net, rate = ga.reactive_flux(K, 0, [2, 4], 0.5)
    np.testing.assert_allclose(net, expected.net_flux / step, atol=1e-5)
    assert rate == pytest.approx(expected.rate / step, rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_without_generator_a_step_is_a_lag_time(seed):
    """What alternates has no rates behind it: the equations are then those of discrete time."""
    K = 0.1 * random_matrix(5, seed) + 0.9 * np.eye(5)[[1, 0, 3, 2, 4]]
    assert not ga.rate_matrix(K).is_generator
    np.testing.assert_allclose(ga.residence_times(K, 0.5), 0.5 / (1 - np.diag(K)))
    np.testing.assert_allclose(ga.mean_first_passage_times(K, [1, 3], 2.0), 2 * msm.mfpt(K, [1, 3]), rtol=1e-9)
    np.testing.assert_allclose(ga.committor(K, 0, [2, 4]), msm.committor(K, [0], [2, 4]), rtol=1e-9)


def test_committor_of_a_symmetric_walk():
    """On a chain of five states with equal steps the committor is linear."""
    K = np.diag(np.full(4, 0.3), 1) + np.diag(np.full(4, 0.3), -1)
    K += np.diag(1 - K.sum(axis=1))
    np.testing.assert_allclose(ga.committor(K, 0, 4), [0, 0.25, 0.5, 0.75, 1])
    forward, rate = ga.reactive_flux(K, 0, 4)
    # The same net flux 0.2 * 0.3 * 0.25 passes each bond; the walk was last in 0 half of the time.
    np.testing.assert_allclose(np.diag(forward, 1), 0.2 * 0.3 * 0.25)
    assert rate == pytest.approx(0.2 * 0.3 * 0.25 / 0.5)


def test_states_without_a_way():
    """State 2 traps: it never reaches 0, and 1 may fall into it. Behind the target it does no harm."""
    K = np.array([[0.8, 0.2, 0], [0.3, 0.6, 0.1], [0, 0, 1]])
    times = ga.mean_first_passage_times(K, 0)
    np.testing.assert_array_equal(times, [0, np.inf, np.inf])
    behind = expm(np.array([[-0.2, 0.2, 0], [0.3, -0.4, 0.1], [0, 0, 0]]))
    np.testing.assert_allclose(ga.mean_first_passage_times(behind, 1), [5, 0, np.inf])
    apart = np.array([[0.8, 0.2, 0, 0], [0.3, 0.7, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    assert np.isnan(ga.committor(apart, 0, 1)[2:]).all()
    with pytest.raises(ValueError, match="eigenvalues are 1"):
        ga.reactive_flux(apart, 0, 1)
    with pytest.raises(ValueError, match="state 0 is never populated"):
        ga.reactive_flux(np.array([[0.5, 0.5, 0], [0, 0.6, 0.4], [0, 0.3, 0.7]]), 1, 2)


def test_noise_is_no_transition_matrix():
    K = np.array([[1.01, -0.01], [0.1, 0.9]])
    with pytest.raises(ValueError, match=r"the smallest entry is -0.01.*koopman_matrix\(chi, tau, \"constrained\"\)"):
        ga.residence_times(K)
    with pytest.raises(ValueError, match=r"row sums are \[0.9 1"):
        ga.committor(np.array([[0.8, 0.1], [0.5, 0.5]]), 0, 1)
    with pytest.raises(ValueError, match=r"must be square and finite, got shape \(1, 2\)"):
        ga.residence_times(np.ones((1, 2)))


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ([], 1, r"source must name states from 0 to 2, got \[\]"),
        (0, 3, r"target must name states from 0 to 2, got \[3\]"),
        ([0, 1], 1, r"source \[0, 1\] and target \[1\] share a state"),
    ],
)
def test_bad_sets(source, target, message):
    with pytest.raises(ValueError, match=message):
        ga.committor(K3, source, target)


def test_bad_target():
    with pytest.raises(ValueError, match=r"target must name states from 0 to 2, got \[5\]"):
        ga.mean_first_passage_times(K3, 5)


def chain(K, n_frames, n_targets, seed=0):
    rng = np.random.default_rng(seed)
    state, path = rng.integers(0, len(K), n_targets), np.empty((n_frames, n_targets), int)
    cumulative = np.cumsum(K, axis=1)
    for t in range(n_frames):
        path[t] = state
        state = np.minimum((rng.random((n_targets, 1)) > cumulative[state]).sum(axis=1), len(K) - 1)
    return path


def fuzzy(path, n, seed=0):
    """chi with noise of 20 %, whose plain Koopman matrix may leave the simplex."""
    noise = np.random.default_rng(seed).dirichlet(np.ones(n), path.shape)
    return 0.8 * np.eye(n)[path] + 0.2 * noise


def test_estimators_agree_on_plenty_of_data():
    """20,000 steps of a reversible chain: entries are known to 0.01."""
    chi = np.eye(3)[chain(K3, 5000, 4)]
    for estimator in ("plain", "reversible", "constrained"):
        np.testing.assert_allclose(ga.koopman_matrix(chi, 1, estimator), K3, atol=0.02)


def test_reversible_estimate():
    """Real eigenvalues and detailed balance with the populations, even from short data; deeptime finds the same."""
    chi = fuzzy(chain(random_matrix(4, 1), 60, 1), 4)
    K = ga.koopman_matrix(chi, 2, "reversible")
    c00, _, ctt = ga.covariances(chi, 2)
    np.testing.assert_allclose((c00 + ctt) @ K, ((c00 + ctt) @ K).T, atol=1e-12)
    assert np.abs(np.linalg.eigvals(K).imag).max() < 1e-9
    from deeptime.covariance import Covariance

    x = chi[:, 0]
    expected = Covariance(2, compute_c0t=True, reversible=True).fit(x).fetch_model()
    np.testing.assert_allclose(K, np.linalg.solve(expected.cov_00, expected.cov_0t), rtol=1e-6, atol=1e-9)


def test_constrained_estimate():
    """Where the plain one leaves the simplex, the nearest point of it in least squares; else the plain one itself."""
    chi = fuzzy(chain(random_matrix(3, 43), 40, 1), 3, seed=43)
    c00, c0t, _ = ga.covariances(chi, 3)
    plain, K = ga.koopman_matrix(chi, 3), ga.koopman_matrix(chi, 3, "constrained")
    assert plain.min() < 0
    assert K.min() >= 0
    np.testing.assert_allclose(K.sum(axis=1), 1)

    def distance(K):
        return np.trace(K.T @ c00 @ K) - 2 * np.trace(K.T @ c0t)

    rng = np.random.default_rng(0)
    others = 0.98 * K + 0.02 * rng.dirichlet(np.ones(3), (500, 3))
    assert distance(K) <= min(map(distance, others)) + 1e-12
    crisp = np.eye(3)[chain(K3, 300, 1)]
    np.testing.assert_allclose(ga.koopman_matrix(crisp, 1, "constrained"), ga.koopman_matrix(crisp, 1), atol=1e-6)


def test_unknown_estimator():
    with pytest.raises(ValueError, match="estimator must be plain, reversible or constrained, got 'best'"):
        ga.koopman_matrix(np.eye(2)[[[0], [1], [0]]], 1, "best")


def test_path_times_and_their_intervals():
    """Those of the matrix of all data, each inside its interval; the truth is -1 / Q_ii."""
    K = np.array([[0.97, 0.02, 0.01], [0.03, 0.95, 0.02], [0.02, 0.04, 0.94]])
    chi = np.eye(3)[chain(K, 4000, 5)]
    times = ga.path_times(chi, 3, frame_interval=0.5, time_unit="ps")
    found = ga.koopman_matrix(chi, 3, "constrained")
    np.testing.assert_allclose(times.residence.value, ga.residence_times(found, 1.5), rtol=1e-6)
    np.testing.assert_allclose(times.first_passage.value[:, 1], ga.mean_first_passage_times(found, 1, 1.5), rtol=1e-6)
    assert times.rates.is_generator
    assert times.time_unit == "ps"
    truth = 0.5 * ga.residence_times(K)
    assert (times.residence.lower < times.residence.value).all()
    assert (times.residence.value < times.residence.upper).all()
    assert ((times.residence.lower < truth) & (truth < times.residence.upper)).all()
    assert np.isnan(np.diag(times.first_passage.lower)).all()  # zero, and no interval


def test_times_of_what_has_no_generator_are_those_of_the_nearest():
    """A coordinate that diffuses, cut into three: ln K has a negative rate from end to end however many the data."""
    x = np.arange(-4, 4.01, 0.1)
    P = np.exp(-np.square(x - 0.8 * x[:, None]) / (2 * (1 - 0.8**2)))
    P /= P.sum(axis=1, keepdims=True)
    pi, of_state = np.exp(-(x**2) / 2), np.eye(3)[(x > -0.5).astype(int) + (x > 0.5)]
    counts = of_state.T @ ((pi / pi.sum())[:, None] * P) @ of_state
    K = counts / counts.sum(axis=1, keepdims=True)
    found = ga.rate_matrix(K)
    assert found.is_generator
    assert 0.01 < found.deviation < 0.1
    assert found.rates[0, 2] == found.rates[2, 0] == 0
    np.testing.assert_allclose(found.rates.sum(axis=1), 0, atol=1e-12)
    # A change of K by 1e-6 changes the times by as little, whichever way.
    for change in ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)):
        moved = K.copy()
        moved[change] += 1e-6
        moved[change[0], change[0]] -= 1e-6
        np.testing.assert_allclose(ga.residence_times(moved), ga.residence_times(K), rtol=1e-4)
    path = chain(P, 800, 40, seed=2)
    times = ga.path_times(of_state[path], 1)
    assert [f.kind for f in times.findings] == ["nearest generator"]
    assert "misses the Koopman matrix by 0.0" in times.findings[0].text
    assert ((times.residence.lower < ga.residence_times(K)) & (ga.residence_times(K) < times.residence.upper)).all()


def test_times_that_hang_on_the_sign_of_an_eigenvalue_have_no_interval():
    """States that mix within the lag time: the eigenvalue is zero within its scatter, and times are anything."""
    chi = np.eye(3)[chain(np.array([[0.9, 0.1, 0.0], [0.1, 0.5, 0.4], [0.0, 0.5, 0.5]]), 4000, 1, seed=3)]
    times = ga.path_times(chi, 2)
    assert not times.is_certain
    assert np.isnan(times.residence.lower).all()
    assert np.isfinite(times.residence.value).all()
    assert times.findings[-1].kind == "rates uncertain"
    assert "the data do not tell whether there are rates behind the Koopman matrix" in times.findings[-1].text


def test_times_of_what_alternates_are_those_of_the_lag():
    chi = np.eye(2)[chain(np.array([[0.1, 0.9], [0.8, 0.2]]), 4000, 1)]
    times = ga.path_times(chi, 1)
    assert [f.kind for f in times.findings] == ["no generator"]
    assert times.is_certain
    assert ((times.residence.lower < [1 / 0.9, 1 / 0.8]) & (times.residence.upper > [1 / 0.9, 1 / 0.8])).all()


def test_a_state_that_was_not_visited_has_no_times():
    chi = np.eye(3)[chain(np.array([[0.95, 0.05], [0.05, 0.95]]), 2000, 1)]
    times = ga.path_times(chi, 2)
    assert np.isnan(times.residence.value).tolist() == [False, False, True]
    assert np.isfinite(times.residence.lower[:2]).all()
    assert np.isnan(times.first_passage.value[:, 2]).all()


# --- global from local -------------------------------------------------------------------------


def test_global_matrix_of_a_ring():
    """Two kinds of site in turn on a ring of four: the local relaxation is one of the global ones, exactly."""
    a, b, lag = 0.03, 0.05, 5.0
    K = expm(np.array([[-a, a], [b, -b]]) * lag)
    kinds = [0, 1, 0, 1]
    ring = np.roll(np.eye(4), 1, axis=1) + np.roll(np.eye(4), -1, axis=1)
    found = ga.global_transition_matrix(K, kinds, ring, lag)
    Q = np.zeros((4, 4))
    for site, kind in enumerate(kinds):
        Q[site, [(site - 1) % 4, (site + 1) % 4]] = (a, b)[kind] / 2
    Q -= np.diag(Q.sum(axis=1))
    np.testing.assert_allclose(found, expm(Q * lag), atol=1e-12)
    lumped = found[:, [0, 2]].sum(axis=1)[[0, 2]]
    np.testing.assert_allclose(lumped, K[0, 0])


def test_fcc_reconstruction_has_the_exact_times():
    """4 octahedral and 8 tetrahedral sites, each next to all of the other kind: 1/k_OT threefold, 1/k_TO sevenfold."""
    k_ot, k_to, lag = 0.002, 0.02, 10.0
    K = expm(np.array([[-k_ot, k_ot], [k_to, -k_to]]) * lag)
    neighbors = np.zeros((12, 12))
    neighbors[:4, 4:] = neighbors[4:, :4] = 1
    K12 = ga.global_transition_matrix(K, [0] * 4 + [1] * 8, neighbors, lag)
    times = [ga.timescale(value, lag)[0] for value in ga.eigenvalues(K12)[1:]]
    np.testing.assert_allclose(times, [500] * 3 + [50] * 7 + [1 / (k_ot + k_to)], rtol=1e-6)


def test_global_matrix_from_counting():
    """A random walk on the ring, counted site by site, against its reconstruction from the two kinds."""
    ring = np.roll(np.eye(4), 1, axis=1) + np.roll(np.eye(4), -1, axis=1)
    Q = ring * np.array([0.01, 0.03, 0.01, 0.03])[:, None] / 2
    Q -= np.diag(Q.sum(axis=1))
    sites = chain(expm(Q), 20_000, 8)
    counted = ga.site_matrix(sites, 4, 5)
    local = ga.koopman_matrix(np.eye(2)[sites % 2], 5)
    rebuilt = ga.global_transition_matrix(local, [0, 1, 0, 1], ring, 5)
    np.testing.assert_allclose(counted, rebuilt, atol=0.01)
    np.testing.assert_allclose(ga.site_matrix([sites[:100], sites[100:]], 5, 5).sum(axis=1), [1, 1, 1, 1, 0])


def test_rates_where_no_way_is_are_those_of_chance():
    """Three sites in a row: sampled data lead from the first to the third within a step in one of 200 cases or less."""
    row = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0.0]])
    P = expm((row - np.diag(row.sum(axis=1))) * 0.1)
    for seed in range(10):
        K = ga.koopman_matrix(np.eye(3)[chain(P, 300, 40, seed)], 1)
        # A third of 12,000 frames is in each row: an element of 0.1 has a standard error of 0.005.
        np.testing.assert_allclose(ga.global_transition_matrix(K, [0, 1, 2], row), P, atol=0.025)


@pytest.mark.parametrize(
    ("K", "kinds", "neighbors", "message"),
    [
        (
            [[0.1, 0.9], [0.9, 0.1]],
            [0, 1],
            [[0, 1], [1, 0]],
            r"an eigenvalue of K is not positive \(-0.8\)",
        ),
        ([[0.9, 0.1], [0.2, 0.8]], [0, 2], [[0, 1], [1, 0]], r"kinds must be states from 0 to 1, got \[0, 2\]"),
        ([[0.9, 0.1], [0.2, 0.8]], [0, 1], [[0, -1], [1, 0]], r"neighbors must be a non-negative \(2, 2\) array"),
        ([[0.9, 0.1], [0.2, 0.8]], [0, 1], [[0, 0], [1, 0]], "site 0 has no neighbour of kind 1"),
        (
            [[0.7, 0.3, 0], [0, 0.7, 0.3], [0.3, 0, 0.7]],
            [0, 1, 2],
            np.ones((3, 3)) - np.eye(3),
            "the nearest rates miss it by 0.0[0-9]+, the uncertainty is 0.01",
        ),
        (
            [[0.9, 0.1], [0.2, 0.8]],
            [0, 0, 1],
            np.ones((3, 3)) - np.eye(3),
            "sites 0 and 1 are neighbours of the same kind 0: the local model does not see jumps between them",
        ),
    ],
)
def test_bad_reconstruction(K, kinds, neighbors, message):
    with pytest.raises(ValueError, match=message):
        ga.global_transition_matrix(K, kinds, neighbors)


def test_jumps_between_sites_of_one_kind():
    """Three sites in a row, two of them of one kind: their own rate is the caller's, the others are the model's."""
    row = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0.0]])
    with pytest.raises(ValueError, match="same_kind_rates must be 2 rates that are not negative"):
        ga.global_transition_matrix(np.eye(2), [0, 0, 1], row, 1.0, [0.1])
    # Local rates as a target on the middle site has them.
    K = expm(np.array([[-0.02, 0.02], [0.05, -0.05]]) * 3.0)
    kinds = [0, 0, 1]
    with pytest.raises(ValueError, match="site 0 has no neighbour of kind 1"):
        ga.global_transition_matrix(K, kinds, row, 3.0, [0.07, 0.0])
    ring = np.roll(np.eye(4), 1, axis=1) + np.roll(np.eye(4), -1, axis=1)
    found = ga.global_transition_matrix(K, [0, 0, 1, 1], ring, 3.0, [0.07, 0.03])
    exact = np.array([[0, 0.07, 0, 0.02], [0.07, 0, 0.02, 0], [0, 0.05, 0, 0.03], [0.05, 0, 0.03, 0]])
    np.testing.assert_allclose(found, expm((exact - np.diag(exact.sum(axis=1))) * 3.0), atol=1e-9)


def sampled(Q, lag, n_pairs, seed):
    """Transition matrix counted from n_pairs independent pairs of a stationary process."""
    rng, K = np.random.default_rng(seed), expm(Q * lag)
    values, vectors = np.linalg.eig(K.T)
    pi = vectors[:, np.argmin(np.abs(values - 1))].real
    counts = rng.multinomial(n_pairs, ((pi / pi.sum())[:, None] * K).ravel()).reshape(3, 3)
    return counts / counts.sum(axis=1, keepdims=True)


def test_noise_does_not_refuse_a_generator():
    """100 sampled chains 0 - 1 - 2: ln K has a rate of either sign between 0 and 2, which noise explains."""
    Q = np.array([[-0.02, 0.02, 0], [0.03, -0.05, 0.02], [0, 0.04, -0.04]])
    negative = 0
    for seed in range(100):
        K = sampled(Q, 5.0, 20_000, seed)
        found = ga.rate_matrix(K, 5.0)
        negative += found.deviation > 1e-9
        assert found.is_generator
        np.testing.assert_allclose(found.rates, Q, atol=0.01)
        np.testing.assert_allclose(found.rates.sum(axis=1), 0, atol=1e-12)
        assert (found.rates[~np.eye(3, dtype=bool)] >= 0).all()
    assert negative > 25  # the case is there
    # A cycle in discrete time is no such chain: the nearest rates miss it by far more than noise.
    cycle = 0.3 * np.eye(3) + 0.7 * np.roll(np.eye(3), 1, axis=1)
    assert not ga.rate_matrix(cycle).is_generator


def test_alternation_is_not_slow():
    """lambda = -0.8 decays slowly and is no relaxation."""
    assert ga.count_slow(np.array([0.9, -0.8, 0.3])) == 1
    assert ga.count_slow(np.array([0.5 + 0.3j, 0.5 - 0.3j])) == 2
    assert ga.count_slow(np.array([-0.5 + 1e-3j, -0.5 - 1e-3j])) == 2  # turns, and decays within two lags


def test_time_of_a_rate():
    np.testing.assert_array_equal(ga.rate_to_time(np.array([0.5, 0.0, -1.0, np.nan])), [2, np.inf, np.inf, np.nan])


def test_site_matrix_of_short_data():
    with pytest.raises(ValueError, match="a lag time of 9 frames needs longer segments"):
        ga.site_matrix(np.zeros(5, int), 2, 9)


def test_path_times_are_those_of_the_matrix_of_all_data(chain):
    """With blocks and without, at the lag that is asked for and not the one that chi carries."""
    long = ga.Chi([chain(K3, 4000, 2, seed=8)], tau=1, frame_interval=0.5, time_unit="ps")
    short = ga.Chi([chain(K3, 60, 1, seed=8)], tau=1, frame_interval=0.5, time_unit="ps")
    assert np.isnan(ga.path_times(short, 2).residence.lower).all()
    for chi in (long, short):
        times, K = ga.path_times(chi, 2), ga.koopman_matrix(chi, 2, "constrained")
        np.testing.assert_allclose(times.rates.rates, ga.rate_matrix(K, 1.0).rates)
        np.testing.assert_allclose(times.residence.value, ga.residence_times(K, 1.0))
        for j in range(3):
            np.testing.assert_allclose(times.first_passage.value[:, j], ga.mean_first_passage_times(K, j, 1.0))


def test_table_of_path_times(chain):
    times = ga.path_times(chain(K3, 4000, 2, seed=8), 1, 0.5, "ps")
    table = times.to_dataframe()
    assert table.index.tolist() == list(range(12))
    assert table.from_state.tolist() == [0, 1, 2, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert table.to_state[3:].tolist() == [0, 1, 2] * 3
    np.testing.assert_array_equal(table.residence_time_ps[:3], times.residence.value)
    np.testing.assert_array_equal(table.first_passage_time_ps[3:], times.first_passage.value.ravel())
    np.testing.assert_array_equal(table.residence_time_upper_ps[:3], times.residence.upper)
    np.testing.assert_array_equal(table.first_passage_time_lower_ps[3:], times.first_passage.lower.ravel())


def test_flux_names_the_state_that_is_never_populated():
    K = np.array([[0.9, 0.1, 0], [0.1, 0.9, 0], [0.5, 0, 0.5]])
    with pytest.raises(ValueError, match="state 2 is never populated: paths through it have no reverse"):
        ga.reactive_flux(K, 0, 1)
