//! Faults of a shutdown, and of replies to queries about the hub.

use super::{Mutant, Place};
use crate::faults::Fault;

pub const MUTANTS: &[Mutant] = &[
    Fault::DoesNotWaitForCloseHooks
        .put(Place::Brittle)
        .fails(&["stopping::connections_that_outlive_the_grace_are_forced"]),
    Fault::GoesOnAccepting.put(Place::Brittle).fails(&[
        "stopping::close_hooks_run_and_are_waited_for",
        "stopping::a_stopping_server_accepts_no_peer",
    ]),
    Fault::IgnoresTheGrace
        .put(Place::Brittle)
        .fails(&["stopping::connections_that_outlive_the_grace_are_forced"]),
    Fault::StopsWithoutAWord.put(Place::Brittle).fails(&[
        "stopping::a_shutdown_closes_peers_with_1012",
        "stopping::a_shutdown_closes_peers_with_a_chosen_code",
        "stopping::what_was_queued_is_flushed",
        "stopping::close_hooks_run_and_are_waited_for",
        "stopping::connections_that_outlive_the_grace_are_forced",
    ]),
    Fault::ClosesEveryNamespace
        .put(Place::Brittle)
        .fails(&["hub::close_all_closes_one_namespace"]),
    Fault::KeepsNamespacesForEver
        .put(Place::Brittle)
        .fails(&["hub::a_namespace_vanishes_with_its_last_peer"]),
    Fault::PublishesFromOutsideEverywhere
        .put(Place::Brittle)
        .fails(&["hub::a_publish_from_outside_reaches_one_namespace"]),
    Fault::PublishesFromOutsideToOneOnly
        .put(Place::Brittle)
        .fails(&[
            "hub::a_publish_from_outside_reaches_all_namespaces_when_said",
            "pubsub::unsubscribing_ends_delivery",
            "pubsub::subscribing_twice_delivers_once",
            "hub::publications_are_counted",
        ]),
    Fault::SendsByIdToEveryone.put(Place::Brittle).fails(&[
        "peer::a_peer_is_found_by_its_id",
        "peer::the_id_of_a_closed_peer_finds_no_peer",
    ]),
];
