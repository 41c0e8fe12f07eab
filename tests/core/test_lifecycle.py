"""The tables of moves, and what no sequence of moves can ever do."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.lifecycle import (
    CLUSTER_MOVES,
    DEPLOYMENT_MOVES,
    OPERATION_MOVES,
    ClusterState,
    DeploymentState,
    IllegalMoveError,
    OperationState,
    check_cluster_move,
    check_deployment_move,
    check_operation_move,
)

_State = TypeVar("_State", DeploymentState, ClusterState, OperationState)

DEPLOYMENT_WALK = st.lists(st.sampled_from(DeploymentState), max_size=30)
_STANDS = frozenset({ClusterState.LIVE, ClusterState.UPDATING})
CLUSTER_WALK = st.lists(st.sampled_from(ClusterState), max_size=30)
OPERATION_WALK = st.lists(st.sampled_from(OperationState), max_size=30)


def test_every_state_has_a_row_in_its_table() -> None:
    assert set(DEPLOYMENT_MOVES) == set(DeploymentState)
    assert set(CLUSTER_MOVES) == set(ClusterState)
    assert set(OPERATION_MOVES) == set(OperationState)


def test_every_deployment_can_reach_deleted() -> None:
    for start in DeploymentState:
        reached, frontier = {start}, [start]
        while frontier:
            following = DEPLOYMENT_MOVES[frontier.pop()] - reached
            reached |= following
            frontier.extend(following)

        assert DeploymentState.DELETED in reached


@given(DEPLOYMENT_WALK)
def test_nothing_leaves_deleted(walk: list[DeploymentState]) -> None:
    assert _walked(DeploymentState.DELETED, walk, check_deployment_move) == [
        DeploymentState.DELETED
    ]


@given(st.sampled_from(OperationState), OPERATION_WALK)
def test_a_terminal_operation_never_changes_again(
    start: OperationState, walk: list[OperationState]
) -> None:
    path = _walked(start, walk, check_operation_move)

    terminal = [state for state in path if state.is_terminal]
    assert len(terminal) <= 1
    assert not terminal or path[-1] is terminal[0]


@given(DEPLOYMENT_WALK)
def test_a_deployment_is_deleted_only_after_deleting(
    walk: list[DeploymentState],
) -> None:
    path = _walked(DeploymentState.PENDING, walk, check_deployment_move)

    if path[-1] is DeploymentState.DELETED:
        assert path[-2] is DeploymentState.DELETING


@given(DEPLOYMENT_WALK)
def test_a_live_deployment_never_becomes_canceled(
    walk: list[DeploymentState],
) -> None:
    path = _walked(DeploymentState.LIVE, walk, check_deployment_move)

    for before, after in pairwise(path):
        if after is DeploymentState.CANCELED:
            assert before in {DeploymentState.PENDING, DeploymentState.DEPLOYING}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (old, new)
        for old in DeploymentState
        for new in DeploymentState
        if new is not old and new not in DEPLOYMENT_MOVES[old]
    ],
)
def test_a_move_that_the_table_lacks_is_refused(
    old: DeploymentState, new: DeploymentState
) -> None:
    with pytest.raises(IllegalMoveError):
        check_deployment_move(old, new)


def test_every_cluster_can_reach_deleted() -> None:
    for start in ClusterState:
        reached, frontier = {start}, [start]
        while frontier:
            following = CLUSTER_MOVES[frontier.pop()] - reached
            reached |= following
            frontier.extend(following)

        assert ClusterState.DELETED in reached


@given(CLUSTER_WALK)
def test_a_cluster_is_deleted_only_after_deleting_and_then_for_ever(
    walk: list[ClusterState],
) -> None:
    path = _walked(ClusterState.PENDING, walk, check_cluster_move)

    assert ClusterState.DELETED not in path[:-1]
    if path[-1] is ClusterState.DELETED:
        assert path[-2] is ClusterState.DELETING


@given(CLUSTER_WALK)
def test_a_live_cluster_fails_only_while_it_is_being_deleted(
    walk: list[ClusterState],
) -> None:
    path = _walked(ClusterState.LIVE, walk, check_cluster_move)

    first = [state for state in path if state not in _STANDS]
    assert not first or first[0] is ClusterState.DELETING


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (old, new)
        for old in ClusterState
        for new in ClusterState
        if new is not old and new not in CLUSTER_MOVES[old]
    ],
)
def test_a_cluster_s_move_that_the_table_lacks_is_refused(
    old: ClusterState, new: ClusterState
) -> None:
    with pytest.raises(IllegalMoveError):
        check_cluster_move(old, new)


def _walked(
    start: _State, walk: list[_State], check: Callable[[_State, _State], None]
) -> list[_State]:
    """Take every step of `walk` that is allowed, and return the path."""
    path = [start]
    for state in walk:
        try:
            check(path[-1], state)
        except IllegalMoveError:
            continue
        if state is not path[-1]:
            path.append(state)
    return path
