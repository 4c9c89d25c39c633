//! The table of faults: for each, the cases that it must fail, and no others of these groups.

use super::faults::Fault;

/// Where a fault is put. Without one, the adapter passes everything.
#[derive(Debug)]
pub enum Place {
    /// Into the adapter made for it.
    Brittle,
    /// Into the same one, which does not offer topics.
    WithoutTopics,
    /// Into the same one, whose hub is one of several.
    InParts,
    /// Around the memory adapter, which has the clock.
    Memory,
    /// Around the tokio adapter, which has the bytes.
    Tokio,
}

/// A fault, and what it breaks.
pub struct Mutant {
    /// The fault.
    pub fault: Option<Fault>,
    /// Where it is.
    pub place: Place,
    /// The groups of cases that are run; all if empty.
    pub groups: &'static [&'static str],
    /// The cases that must fail.
    pub fails: &'static [&'static str],
    /// The cases that may fail by chance. No other case may.
    pub may: &'static [&'static str],
}

/// Returns an adapter without a fault.
const fn sound(place: Place) -> Mutant {
    Mutant {
        fault: None,
        place,
        groups: &[],
        fails: &[],
        may: &[],
    }
}

impl Fault {
    const fn put(self, place: Place, groups: &'static [&'static str]) -> Mutant {
        Mutant {
            fault: Some(self),
            place,
            groups,
            fails: &[],
            may: &[],
        }
    }
}

impl Mutant {
    const fn fails(mut self, cases: &'static [&'static str]) -> Self {
        self.fails = cases;
        self
    }

    const fn may_fail(mut self, cases: &'static [&'static str]) -> Self {
        self.may = cases;
        self
    }
}

pub const MUTANTS: &[Mutant] = &[
    sound(Place::Brittle),
    sound(Place::WithoutTopics),
    sound(Place::InParts),
    Fault::PretendsToHaveTopics
        .put(Place::WithoutTopics, &["pubsub", "rooms"])
        .fails(&[
            "pubsub::without_topics_there_are_typed_errors",
            "rooms::without_topics_a_pattern_is_a_typed_error",
        ]),
    Fault::AcceptsBeforeTheHookAnswers
        .put(Place::Brittle, &["refusal"])
        .fails(&[
            "refusal::a_stream_is_not_taken_for_a_time",
            "refusal::a_refusal_is_any_response",
            "refusal::a_refusal_comes_before_any_101",
            "refusal::an_error_that_converts_is_a_refusal",
            "refusal::an_error_that_says_nothing_is_a_500_without_details",
            "refusal::a_panic_in_the_upgrade_is_a_500",
            "refusal::a_refusal_leaves_nothing_behind",
            "refusal::a_subprotocol_that_was_not_offered_fails_the_upgrade",
            "refusal::an_id_in_use_is_refused",
            "refusal::a_namespace_with_too_long_a_name_is_refused",
            "refusal::a_full_hub_refuses",
            "refusal::a_foreign_origin_is_refused",
            "refusal::the_origin_null_is_refused",
            "refusal::a_port_that_a_proxy_has_dropped_is_forgiven",
            "refusal::a_listed_origin_is_accepted",
        ]),
    Fault::AdmitsEveryOrigin
        .put(Place::Brittle, &["refusal"])
        .fails(&[
            "refusal::a_foreign_origin_is_refused",
            "refusal::the_origin_null_is_refused",
            "refusal::a_port_that_a_proxy_has_dropped_is_forgiven",
            "refusal::a_listed_origin_is_accepted",
        ]),
    Fault::EchoesTheOfferedSubprotocol
        .put(Place::Brittle, &["upgrade"])
        .fails(&[
            "upgrade::a_chosen_subprotocol_is_answered",
            "upgrade::the_servers_preference_chooses_the_subprotocol",
            "upgrade::no_subprotocol_is_answered_unless_chosen",
        ]),
    Fault::ForgetsTheRequest
        .put(Place::Brittle, &["refusal"])
        .fails(&["refusal::an_unclaimed_route_goes_to_the_http_service"]),
    Fault::HidesHeadersFromTheHook
        .put(Place::Brittle, &["upgrade", "refusal"])
        .fails(&[
            "upgrade::the_hook_sees_the_whole_request",
            "refusal::an_unclaimed_route_goes_to_the_http_service",
        ]),
    Fault::HidesTheAddress
        .put(Place::Brittle, &["upgrade"])
        .fails(&["upgrade::the_hook_sees_the_remote_address"]),
    Fault::LetsUpgradesTakeForever
        .put(Place::Brittle, &["refusal"])
        .fails(&["refusal::a_deadline_bounds_the_upgrade"]),
    Fault::LosesRepeatedHeaders
        .put(Place::Brittle, &["upgrade"])
        .fails(&["upgrade::repeated_cookies_are_all_kept"]),
    Fault::RefusesWithABareStatus
        .put(Place::Brittle, &["refusal"])
        .fails(&[
            "refusal::a_refusal_is_any_response",
            "refusal::an_error_that_converts_is_a_refusal",
            "refusal::a_full_hub_refuses",
        ]),
    Fault::ResolvesEveryMessage
        .put(Place::Brittle, &["upgrade"])
        .fails(&[
            "upgrade::hooks_are_resolved_once_per_connection",
            "upgrade::hooks_are_not_resolved_for_each_message",
        ]),
    Fault::TellsErrorsToTheClient
        .put(Place::Brittle, &["refusal"])
        .fails(&["refusal::an_error_that_says_nothing_is_a_500_without_details"]),
    Fault::DecodesPathsSomehow
        .put(Place::Brittle, &["routes"])
        .fails(&["routes::a_path_that_is_not_utf8_is_a_400"]),
    Fault::DropsRouteParameters
        .put(Place::Brittle, &["routes"])
        .fails(&[
            "routes::a_pattern_decides_the_route_and_its_parameters",
            "routes::nested_routes_inherit_layers",
            "routes::a_path_or_query_of_another_type_is_a_400_that_names_the_field",
        ]),
    Fault::DropsTheAnswersHeaders
        .put(Place::Brittle, &["routes"])
        .fails(&[
            "routes::global_hooks_answer_with_the_route",
            "routes::a_route_has_its_own_subprotocols",
        ]),
    Fault::ForgetsRouteSettings
        .put(Place::Brittle, &["routes"])
        .fails(&[
            "routes::a_pattern_decides_the_route_and_its_parameters",
            "routes::a_route_stays_known_to_its_peer",
            "routes::a_route_has_its_own_limits",
            "routes::a_route_has_its_own_topics",
            "routes::a_route_has_its_own_subprotocols",
            "routes::a_message_to_a_route_reaches_its_connections_in_all_namespaces",
            "routes::a_route_has_its_own_times",
        ]),
    Fault::HasNoHttpService
        .put(Place::Brittle, &["routes"])
        .fails(&["routes::a_hook_calls_the_applications_own_http"]),
    Fault::SendsToAPartOfARoute
        .put(Place::InParts, &["routes", "identities"])
        .fails(&[
            "routes::where_a_route_spans_hubs_there_is_a_typed_error",
            "identities::where_labels_span_hubs_there_is_a_typed_error",
        ]),
    Fault::DropsTheLabels
        .put(Place::Brittle, &["identities"])
        .fails(&[
            "identities::labels_of_the_upgrade_are_known_in_every_hook",
            "identities::labels_that_change_stay_changed",
            "identities::the_close_hook_knows_the_labels",
            "identities::an_identity_reaches_its_connections_in_all_namespaces",
            "identities::an_identity_reaches_its_connections_here",
            "identities::an_identity_is_closed_everywhere",
            "identities::a_tag_reaches_those_that_have_it",
            "identities::labels_choose_among_subscribers",
        ]),
    Fault::ForgetsLabelsThatChange
        .put(Place::Brittle, &["identities"])
        .fails(&[
            "identities::labels_that_change_stay_changed",
            "identities::a_tag_reaches_those_that_have_it",
            "identities::too_many_tags_are_a_typed_error",
        ]),
    Fault::MatchesEveryPattern
        .put(Place::Brittle, &["rooms"])
        .fails(&[
            "rooms::a_pattern_hears_messages_to_several_topics_once",
            "rooms::unsubscribing_from_a_pattern_ends_delivery",
        ]),
    Fault::LetsClientsDoAnything
        .put(Place::Brittle, &["rooms"])
        .fails(&[
            "rooms::clients_subscribe_where_they_may",
            "rooms::what_a_client_may_not_do_is_refused_by_name",
        ]),
    Fault::TakesAnyPattern
        .put(Place::Brittle, &["rooms"])
        .fails(&[
            "rooms::a_pattern_that_is_none_is_a_typed_error",
            "rooms::too_many_patterns_are_a_typed_error",
            "rooms::subscriptions_are_told_with_their_count",
        ]),
    Fault::SaysNothingOfSubscriptions
        .put(Place::Brittle, &["rooms"])
        .fails(&["rooms::subscriptions_are_told_with_their_count"]),
    Fault::SelectsNobodyByLabels
        .put(Place::Brittle, &["identities"])
        .fails(&["identities::labels_choose_among_subscribers"]),
    Fault::RetainsNothing
        .put(Place::Brittle, &["retained"])
        .fails(&[
            "retained::a_new_subscriber_gets_the_retained_message_first",
            "retained::a_topic_retains_its_last_message_only",
            "retained::a_pattern_gets_what_matching_topics_retain",
            "retained::what_a_peer_retains_goes_with_the_last_peer",
            "retained::a_message_to_some_cannot_be_retained",
        ]),
    Fault::SendsToOneOfAGroup
        .put(Place::Brittle, &["identities"])
        .fails(&[
            "identities::an_identity_reaches_its_connections_in_all_namespaces",
            "identities::an_identity_reaches_its_connections_here",
            "identities::a_tag_reaches_those_that_have_it",
        ]),
    Fault::SkipsLayers.put(Place::Brittle, &["routes"]).fails(&[
        "routes::a_layer_refuses_before_any_hook",
        "routes::what_a_layer_attaches_is_there_in_every_hook",
        "routes::nested_routes_inherit_layers",
        "routes::authentication_lets_in_or_answers_401",
        "routes::a_path_or_query_of_another_type_is_a_400_that_names_the_field",
    ]),
    Fault::UpgradesUnclaimedRoutes
        .put(Place::Brittle, &["refusal", "routes"])
        .fails(&[
            "routes::a_path_without_a_route_passes_on",
            "refusal::an_unclaimed_route_goes_to_the_http_service",
            "refusal::an_unclaimed_route_runs_no_hook",
        ]),
    Fault::BuffersUntilTheHookEnds
        .put(Place::Brittle, &["life"])
        .fails(&[
            "life::a_message_sent_before_an_await_arrives_during_it",
            "life::a_publish_arrives_while_a_hook_waits",
            "life::a_ping_is_answered_while_a_hook_waits",
        ])
        // Both wait for the pong to a ping that is sent while a hook runs, or just before it.
        .may_fail(&[
            "life::open_ends_before_the_first_message",
            "life::a_peers_hooks_do_not_overlap",
        ]),
    Fault::BuffersWithoutBound
        .put(Place::Brittle, &["queue"])
        .fails(&[
            "queue::a_client_that_never_reads_is_closed_with_1013",
            "queue::a_client_that_never_reads_is_bounded",
            "queue::too_many_messages_are_too_much",
            "queue::dropping_the_newest_returns_it",
            "queue::dropping_the_oldest_keeps_the_newest",
            "queue::what_a_slow_subscriber_loses_is_counted",
            "queue::the_dropped_hook_reports_what_a_policy_discards",
            "queue::the_dropped_hook_runs_before_a_slow_consumer_is_closed",
            "queue::a_volatile_message_is_discarded_for_a_slow_client",
            "queue::a_volatile_publication_is_discarded_for_slow_clients_alone",
        ]),
    Fault::CallsALossClean
        .put(Place::Brittle, &["closing"])
        .fails(&["closing::a_client_that_vanishes_is_1006_by_the_network"]),
    Fault::ClosesWithoutItsFrame
        .put(Place::Brittle, &["closing"])
        .fails(&[
            "closing::our_code_and_reason_reach_the_client",
            "closing::the_servers_close_is_reported_as_the_servers",
            "closing::a_close_from_outside_is_reported_as_the_servers",
            "closing::a_close_frame_of_ours_may_have_no_code",
            "closing::a_long_reason_is_cut_between_characters",
            "closing::what_was_queued_arrives_before_the_close_frame",
            "closing::only_the_first_close_counts",
        ]),
    Fault::DeliversOutOfOrder
        .put(Place::Brittle, &["life"])
        .fails(&[
            "life::messages_keep_their_order",
            "life::messages_of_slow_hooks_keep_their_order",
        ])
        .may_fail(&[
            "life::close_comes_once_however_the_connection_ends",
            "life::close_comes_once_when_it_is_closed_from_outside",
            "life::close_comes_after_the_last_message",
            "life::closed_resolves_in_a_running_hook_when_the_server_closes",
        ]),
    Fault::DeliversPublicationsTwice
        .put(
            Place::Brittle,
            &["pubsub", "hub", "typed", "rules", "rooms"],
        )
        .fails(&[
            "typed::clients_receive_publications_in_the_format_of_their_subprotocol",
            "typed::a_later_subscriber_gets_the_retained_message_in_its_format",
            "rules::a_rule_publishes_with_the_sender_or_without",
            "pubsub::a_publish_reaches_every_other_subscriber_once",
            "hub::a_publish_from_outside_reaches_all_namespaces_when_said",
            "pubsub::a_publish_in_close_reaches_the_others",
            "pubsub::a_publish_keeps_the_kind_of_message",
            "pubsub::subscribing_twice_delivers_once",
            "pubsub::a_broadcast_reaches_the_whole_namespace",
            "hub::a_broadcast_from_outside_reaches_every_peer",
            "rooms::a_pattern_hears_each_matching_publication_once",
            "rooms::a_pattern_hears_messages_to_several_topics_once",
            "rooms::unsubscribing_from_a_pattern_ends_delivery",
            "rooms::a_default_topic_is_left_like_any_other",
            "rooms::clients_subscribe_where_they_may",
            "pubsub::a_publishers_messages_keep_their_order",
            "pubsub::a_message_to_several_topics_reaches_each_subscriber_once",
            "pubsub::subscribers_of_other_topics_are_left_out",
            "pubsub::a_message_to_a_peers_own_topics_reaches_each_subscriber_once",
            "pubsub::messages_to_several_topics_have_one_order",
        ]),
    Fault::CountsNoHeaders
        .put(Place::Brittle, &["queue"])
        .fails(&["queue::each_byte_on_the_wire_counts_and_no_other"]),
    Fault::DoesNotCountWhatItDrops
        .put(Place::Brittle, &["queue"])
        .fails(&[
            "queue::dropping_the_newest_returns_it",
            "queue::dropping_the_oldest_keeps_the_newest",
            "queue::what_a_slow_subscriber_loses_is_counted",
            "queue::the_dropped_hook_reports_what_a_policy_discards",
            "queue::a_volatile_message_is_discarded_for_a_slow_client",
            "queue::a_volatile_publication_is_discarded_for_slow_clients_alone",
        ]),
    Fault::IgnoresPings
        .put(Place::Brittle, &["life", "peer"])
        .fails(&[
            "life::open_ends_before_the_first_message",
            "life::a_peers_hooks_do_not_overlap",
            "life::a_ping_is_answered_while_a_hook_waits",
            "peer::the_clients_ping_is_answered_and_reaches_the_hook",
            "peer::each_ping_of_a_burst_is_answered",
            "peer::a_pong_of_the_app_is_sent_beside_an_answer",
        ]),
    Fault::LosesCloseReasons
        .put(Place::Brittle, &["closing"])
        .fails(&[
            "closing::our_code_and_reason_reach_the_client",
            "closing::a_close_from_outside_is_reported_as_the_servers",
            "closing::a_long_reason_is_cut_between_characters",
            "closing::only_the_first_close_counts",
        ]),
    Fault::CountsNothing
        .put(Place::Brittle, &["traffic"])
        .fails(&[
            "traffic::what_passes_is_counted",
            "traffic::publications_are_counted_as_what_is_sent",
        ]),
    Fault::TakesAnyPong
        .put(Place::Brittle, &["traffic"])
        .fails(&["traffic::a_round_trip_is_measured"]),
    Fault::DropsItsSessions
        .put(Place::Brittle, &["ending"])
        .fails(&[
            "ending::what_is_left_for_the_end_runs_once_after_close",
            "ending::however_a_connection_ends_its_cleanups_run",
        ]),
    Fault::AlwaysHasRoom
        .put(Place::Brittle, &["waiting"])
        .fails(&[
            "waiting::a_send_that_waits_for_room_reaches_no_bound",
            "waiting::a_send_that_waits_does_not_hold_up_one_that_does_not",
            "waiting::a_message_that_waits_comes_back_when_the_connection_ends",
        ]),
    Fault::ForgetsTopicPolicies
        .put(Place::Brittle, &["waiting"])
        .fails(&["waiting::a_topics_policy_says_what_becomes_of_its_messages"]),
    Fault::AnswersPingsItself
        .put(Place::Brittle, &["peer"])
        .fails(&["peer::the_ping_hook_may_answer_itself"]),
    Fault::ForgetsUpdates
        .put(Place::Brittle, &["peer"])
        .fails(&["peer::its_context_is_updated"]),
    Fault::NeverSaysDrained
        .put(Place::Brittle, &["queue"])
        .fails(&["queue::the_drain_hook_runs_after_a_burst"])
        .may_fail(&["queue::drained_waits_for_the_client"]),
    Fault::KeepsWhatIsReplaced
        .put(Place::Brittle, &["queue"])
        .fails(&[
            "queue::a_newer_message_replaces_one_with_its_key_that_waits",
            "queue::a_newer_publication_replaces_one_with_its_key_that_waits",
        ]),
    Fault::NeverTellsWhatItDrops
        .put(Place::Brittle, &["queue"])
        .fails(&[
            "queue::what_a_slow_subscriber_loses_is_counted",
            "queue::the_dropped_hook_reports_what_a_policy_discards",
            "queue::the_dropped_hook_runs_before_a_slow_consumer_is_closed",
            "queue::a_volatile_message_is_discarded_for_a_slow_client",
            "queue::a_volatile_publication_is_discarded_for_slow_clients_alone",
        ]),
    Fault::QueuesWhatIsVolatile
        .put(Place::Brittle, &["queue"])
        .fails(&[
            "queue::a_volatile_message_is_discarded_for_a_slow_client",
            "queue::a_volatile_publication_is_discarded_for_slow_clients_alone",
        ]),
    Fault::NoticesNothingWhileAHookRuns
        .put(Place::Brittle, &["life"])
        .fails(&[
            "life::closed_resolves_in_a_running_hook_when_the_client_closes",
            "life::closed_resolves_in_a_running_hook_when_the_client_vanishes",
            "life::closed_resolves_although_messages_are_waiting",
            "life::a_closed_peer_leaves_the_lists_while_its_hook_runs",
        ]),
    Fault::ReordersPublications
        .put(Place::Brittle, &["pubsub", "hub", "rooms"])
        .fails(&[
            "pubsub::a_publishers_messages_keep_their_order",
            "rooms::a_pattern_sees_the_order_of_the_topic",
        ])
        .may_fail(&[
            "rooms::a_pattern_hears_each_matching_publication_once",
            "rooms::a_pattern_hears_messages_to_several_topics_once",
            "rooms::unsubscribing_from_a_pattern_ends_delivery",
            "rooms::clients_subscribe_where_they_may",
            "pubsub::a_publish_keeps_the_kind_of_message",
            "pubsub::a_broadcast_reaches_the_whole_namespace",
            "hub::a_broadcast_from_outside_reaches_every_peer",
            "pubsub::every_subscriber_sees_the_same_order",
            "pubsub::a_published_value_is_json_text_for_every_subscriber",
            "pubsub::subscribers_of_other_topics_are_left_out",
            "pubsub::messages_to_several_topics_have_one_order",
        ]),
    Fault::TakesAnySize
        .put(Place::Brittle, &["queue"])
        .fails(&["queue::a_message_over_the_limit_is_closed_with_1009"]),
    Fault::TerminatesWithACloseFrame
        .put(Place::Brittle, &["closing"])
        .fails(&["closing::terminate_sends_no_close_frame"]),
    Fault::TurnsBinaryIntoText
        .put(Place::Brittle, &["peer", "typed"])
        .fails(&[
            "peer::binary_arrives_as_binary",
            "typed::json_is_read_as_json_else_text_else_bytes",
            "typed::clients_receive_publications_in_the_format_of_their_subprotocol",
        ]),
    Fault::ForgetsSpawnedFutures
        .put(Place::Brittle, &["calls"])
        .fails(&[
            "calls::a_method_answers_a_call_by_its_id",
            "calls::a_batch_is_answered_in_one_message",
            "calls::a_call_to_the_client_yields_its_answer",
        ]),
    Fault::DoesNotWaitForCloseHooks
        .put(Place::Brittle, &["stopping"])
        .fails(&["stopping::connections_that_outlive_the_grace_are_forced"])
        .may_fail(&["stopping::close_hooks_run_and_are_waited_for"]),
    Fault::GoesOnAccepting
        .put(Place::Brittle, &["stopping"])
        .fails(&[
            "stopping::close_hooks_run_and_are_waited_for",
            "stopping::a_stopping_server_accepts_no_peer",
        ]),
    Fault::IgnoresTheGrace
        .put(Place::Brittle, &["stopping"])
        .fails(&["stopping::connections_that_outlive_the_grace_are_forced"]),
    Fault::StopsWithoutAWord
        .put(Place::Brittle, &["stopping"])
        .fails(&[
            "stopping::a_shutdown_closes_peers_with_1012",
            "stopping::a_shutdown_closes_peers_with_a_chosen_code",
            "stopping::what_was_queued_is_flushed",
            "stopping::close_hooks_run_and_are_waited_for",
            "stopping::connections_that_outlive_the_grace_are_forced",
        ]),
    Fault::ClosesEveryNamespace
        .put(Place::Brittle, &["hub"])
        .fails(&["hub::close_all_closes_one_namespace"]),
    Fault::KeepsNamespacesForEver
        .put(Place::Brittle, &["hub"])
        .fails(&["hub::a_namespace_vanishes_with_its_last_peer"]),
    Fault::PublishesFromOutsideEverywhere
        .put(Place::Brittle, &["hub"])
        .fails(&["hub::a_publish_from_outside_reaches_one_namespace"]),
    Fault::PublishesFromOutsideToOneOnly
        .put(Place::Brittle, &["pubsub", "hub"])
        .fails(&[
            "hub::a_publish_from_outside_reaches_all_namespaces_when_said",
            "pubsub::unsubscribing_ends_delivery",
            "pubsub::subscribing_twice_delivers_once",
            "hub::publications_are_counted",
        ]),
    Fault::SendsByIdToEveryone
        .put(Place::Brittle, &["peer"])
        .fails(&[
            "peer::it_is_found_by_its_id",
            "peer::the_id_of_a_closed_peer_finds_no_peer",
        ]),
    Fault::AnswersErrorsItself
        .put(Place::Brittle, &["failure"])
        .fails(&[
            "failure::error_may_keep_the_connection",
            "failure::error_may_choose_the_close_code",
            "failure::a_failing_open_may_be_kept",
            "failure::a_failing_spawned_future_reaches_error",
        ]),
    Fault::CatchesPanicsItself
        .put(Place::Brittle, &["failure"])
        .fails(&[
            "failure::a_panic_reaches_error",
            "failure::a_panic_closes_with_1011",
            "failure::a_panic_closes_although_error_says_keep",
            "failure::a_panic_hurts_no_other_peer",
        ]),
    Fault::ClosesTwice.put(Place::Brittle, &["life"]).fails(&[
        "life::close_comes_once_however_the_connection_ends",
        "life::close_comes_once_when_it_is_closed_from_outside",
        "life::close_comes_after_the_last_message",
        "life::closed_resolves_in_a_running_hook_when_the_client_closes",
        "life::closed_resolves_in_a_running_hook_when_the_client_vanishes",
        "life::closed_resolves_in_a_running_hook_when_the_server_closes",
    ]),
    Fault::DeliversAfterClose
        .put(Place::Brittle, &["life"])
        .fails(&[
            "life::close_comes_once_however_the_connection_ends",
            "life::close_comes_once_when_it_is_closed_from_outside",
            "life::close_comes_after_the_last_message",
            "life::nothing_is_delivered_after_the_server_closed",
            "life::closed_resolves_in_a_running_hook_when_the_client_closes",
            "life::closed_resolves_in_a_running_hook_when_the_client_vanishes",
            "life::closed_resolves_in_a_running_hook_when_the_server_closes",
            "life::a_spawned_future_ends_with_its_peer",
        ]),
    Fault::DropsTheContext
        .put(Place::Brittle, &["upgrade", "peer"])
        .fails(&[
            "upgrade::accepting_gives_a_context",
            "peer::its_context_is_typed",
            "peer::its_context_is_updated",
        ]),
    Fault::DropsTheId
        .put(Place::Brittle, &["upgrade"])
        .fails(&["upgrade::accepting_gives_an_id"]),
    Fault::DropsTheNamespace
        .put(Place::Brittle, &["upgrade", "pubsub", "hub", "rooms"])
        .fails(&[
            "upgrade::accepting_gives_a_namespace",
            "upgrade::accepting_gives_topics",
            "upgrade::without_a_choice_the_namespace_is_the_path",
            "rooms::a_pattern_stays_in_its_namespace",
            "pubsub::a_publish_stays_in_its_namespace",
            "hub::a_publish_from_outside_reaches_one_namespace",
            "pubsub::a_broadcast_reaches_the_whole_namespace",
            "hub::a_broadcast_from_outside_reaches_every_peer",
            "hub::topics_and_subscribers_are_listed",
            "hub::peers_are_listed_by_namespace",
            "hub::a_namespace_vanishes_with_its_last_peer",
            "hub::close_all_closes_one_namespace",
        ]),
    Fault::DeliversForEachTopic
        .put(Place::Brittle, &["pubsub"])
        .fails(&[
            "pubsub::a_message_to_several_topics_reaches_each_subscriber_once",
            "pubsub::subscribers_of_other_topics_are_left_out",
            "pubsub::messages_to_several_topics_have_one_order",
        ]),
    Fault::LeavesNobodyOut
        .put(Place::Brittle, &["pubsub"])
        .fails(&["pubsub::subscribers_of_other_topics_are_left_out"]),
    Fault::EchoesToThePublisher
        .put(Place::Brittle, &["pubsub"])
        .fails(&["pubsub::the_publisher_gets_it_only_if_asked"]),
    Fault::IgnoresUnsubscribe
        .put(Place::Brittle, &["pubsub", "hub", "rooms"])
        .fails(&[
            "pubsub::unsubscribing_ends_delivery",
            "rooms::unsubscribing_from_a_pattern_ends_delivery",
            "rooms::a_default_topic_is_left_like_any_other",
            "rooms::subscriptions_are_told_with_their_count",
            "pubsub::unsubscribing_holds_in_later_hooks",
            "hub::a_topic_vanishes_with_its_last_subscriber",
        ]),
    Fault::KeepsEveryoneAfterAnError
        .put(Place::Brittle, &["failure"])
        .fails(&[
            "failure::a_failing_hook_reaches_error",
            "failure::a_failing_hook_closes_with_1011",
            "failure::error_may_choose_the_close_code",
            "failure::a_failing_open_closes_with_1011",
            "failure::a_failure_hurts_no_other_peer",
        ]),
    Fault::LetsPanicsSpread
        .put(Place::Brittle, &["failure"])
        .fails(&[
            "failure::a_panic_reaches_error",
            "failure::a_panic_closes_with_1011",
            "failure::a_panic_closes_although_error_says_keep",
            "failure::a_panic_in_open_closes_with_1011",
            "failure::a_panic_in_a_spawned_future_closes_with_1011",
            "failure::a_panic_hurts_no_other_peer",
        ]),
    Fault::OpensInTheBackground
        .put(Place::Brittle, &["life"])
        .fails(&["life::open_ends_before_the_first_message"]),
    Fault::OneHookAtATimeForAll
        .put(Place::Brittle, &["life"])
        .fails(&[
            "life::messages_of_slow_hooks_keep_their_order",
            "life::one_peers_slow_hook_delays_no_other_peer",
        ])
        .may_fail(&["life::a_peers_hooks_do_not_overlap"]),
    Fault::PublishesForSubscribersOnly
        .put(Place::Brittle, &["pubsub"])
        .fails(&[
            "pubsub::a_publisher_need_not_be_subscribed",
            "pubsub::a_publish_keeps_the_kind_of_message",
        ]),
    Fault::RunsMessagesSideBySide
        .put(Place::Brittle, &["life"])
        .fails(&[
            "life::a_peers_hooks_do_not_overlap",
            "life::messages_of_slow_hooks_keep_their_order",
        ])
        .may_fail(&[
            "life::close_comes_after_the_last_message",
            "life::a_closed_peer_leaves_the_lists_while_its_hook_runs",
            "life::messages_keep_their_order",
            "life::nothing_is_delivered_after_the_server_closed",
        ]),
    Fault::SwallowsClose
        .put(Place::Brittle, &["closing"])
        .fails(&[
            "closing::the_clients_code_and_reason_are_seen",
            "closing::a_close_frame_without_a_code_is_1005",
            "closing::a_client_that_vanishes_is_1006_by_the_network",
            "closing::the_servers_close_is_reported_as_the_servers",
            "closing::a_close_from_outside_is_reported_as_the_servers",
            "closing::a_close_frame_of_ours_may_have_no_code",
            "closing::only_the_first_close_counts",
            "closing::terminate_sends_no_close_frame",
            "closing::terminate_is_reported_as_the_servers",
            "closing::the_close_hook_can_no_longer_send",
        ]),
    Fault::SwallowsErrors
        .put(Place::Brittle, &["failure"])
        .fails(&[
            "failure::a_failing_hook_reaches_error",
            "failure::a_failing_hook_closes_with_1011",
            "failure::error_may_keep_the_connection",
            "failure::error_may_choose_the_close_code",
            "failure::a_panic_in_error_closes_with_1011",
            "failure::a_failure_hurts_no_other_peer",
        ]),
    Fault::ForgetsRenewals
        .put(Place::Memory, &["timing"])
        .fails(&[
            "timing::renewed_credentials_keep_the_connection",
            "timing::credentials_may_be_made_to_end_sooner",
        ]),
    Fault::TellsTimersAtOnce
        .put(Place::Memory, &["timers"])
        .fails(&[
            "timers::a_timer_is_told_once_its_time_is_over",
            "timers::timers_are_told_in_the_order_of_their_times",
            "timers::a_timer_that_is_set_again_is_replaced",
            "timers::the_hook_of_a_cleared_timer_does_not_run",
            "timers::the_end_of_the_connection_clears_its_timers",
        ]),
    Fault::ForgetsTimers
        .put(Place::Memory, &["timers"])
        .fails(&[
            "timers::a_timer_is_told_once_its_time_is_over",
            "timers::timers_are_told_in_the_order_of_their_times",
            "timers::a_timer_that_is_set_again_is_replaced",
            "timers::the_hook_of_a_cleared_timer_does_not_run",
            "timers::a_timer_may_set_itself_again",
            "timers::a_timer_waits_for_the_hook_that_runs",
            "timers::a_timer_that_was_due_while_a_hook_ran_may_be_cleared_by_it",
            "timers::a_timer_that_fails_reaches_error",
            "timers::timers_are_bounded_in_number",
            "timers::each_peer_has_its_own_timers",
        ]),
    Fault::KeepsTheOldTimer
        .put(Place::Memory, &["timers"])
        .fails(&[
            "timers::a_timer_that_is_set_again_is_replaced",
            "timers::timers_are_bounded_in_number",
        ]),
    Fault::KeepsClearedTimers
        .put(Place::Memory, &["timers"])
        .fails(&[
            "timers::the_hook_of_a_cleared_timer_does_not_run",
            "timers::a_timer_that_was_due_while_a_hook_ran_may_be_cleared_by_it",
        ]),
    Fault::RunsTimersBesideHooks
        .put(Place::Memory, &["timers"])
        .fails(&["timers::a_timer_waits_for_the_hook_that_runs"]),
    Fault::NeverTicks
        .put(Place::Memory, &["timers"])
        .fails(&["timers::an_interval_ticks_until_the_connection_ends"]),
    Fault::LeaksConnections
        .put(Place::Brittle, &["loops"])
        .fails(&[
            "loops::a_loop_may_return_and_keep_the_connection",
            "loops::a_loop_that_fails_closes_with_1011",
            "loops::a_loop_that_panics_closes_with_1011",
            "loops::a_loop_ends_when_the_client_closes",
            "loops::a_loop_ends_when_the_client_vanishes",
            "loops::a_loop_ends_when_the_server_closes",
            "loops::a_loop_ends_when_the_app_stops",
            "loops::a_loop_learns_how_its_connection_ended",
            "loops::a_loop_is_told_of_a_client_that_vanishes",
            "loops::a_loops_guard_is_dropped_once_when_the_connection_has_ended",
            "loops::a_loops_guard_is_dropped_once_when_the_client_vanishes",
            "loops::a_loops_guard_is_dropped_once_when_the_app_stops",
            "loops::a_loops_cleanup_is_told_how_its_connection_ended",
            "loops::a_token_is_cancelled_when_the_connection_ends",
            "loops::closures_are_hooks",
        ]),
    Fault::LosesCloseReasons
        .put(Place::Brittle, &["loops"])
        .fails(&["loops::a_loop_closes_with_its_own_code"]),
    Fault::RefusesWhatIsNoJson
        .put(Place::Brittle, &["loops"])
        .fails(&[
            "loops::a_loop_that_returns_closes_with_1000",
            "loops::a_loop_may_return_and_keep_the_connection",
            "loops::a_loop_that_fails_closes_with_1011",
            "loops::a_loop_that_panics_closes_with_1011",
            "loops::a_loop_ends_when_the_client_closes",
            "loops::a_loop_closes_with_its_own_code",
            "loops::a_loops_guard_is_dropped_once_when_the_connection_has_ended",
            "loops::a_loops_guard_is_dropped_once_when_the_client_vanishes",
            "loops::a_loops_guard_is_dropped_once_when_the_app_stops",
            "loops::a_token_is_cancelled_when_the_connection_ends",
            "loops::a_loop_over_json_skips_what_is_none",
            "loops::closures_are_hooks",
        ])
        .may_fail(&["loops::a_loops_cleanup_is_told_how_its_connection_ended"]),
    Fault::IgnoresItsLimits
        .put(Place::Memory, &["refusal", "pubsub", "queue"])
        .fails(&[
            "refusal::a_deadline_bounds_the_upgrade",
            "refusal::a_full_hub_refuses",
            "pubsub::too_many_topics_are_a_typed_error",
            "queue::what_is_queued_is_counted",
            "queue::drained_waits_for_the_client",
            "queue::the_drain_hook_runs_after_a_burst",
            "queue::a_client_that_never_reads_is_bounded",
            "queue::too_many_messages_are_too_much",
            "queue::dropping_the_newest_returns_it",
            "queue::dropping_the_oldest_keeps_the_newest",
            "queue::a_slow_subscriber_delays_no_other",
            "queue::a_newer_message_replaces_one_with_its_key_that_waits",
            "queue::a_newer_publication_replaces_one_with_its_key_that_waits",
            "queue::a_message_over_the_limit_is_closed_with_1009",
            "queue::a_flood_of_pings_is_closed_with_1008",
        ]),
    Fault::LetsCredentialsLiveForEver
        .put(Place::Memory, &["timing"])
        .fails(&[
            "timing::credentials_that_end_close_with_4401",
            "timing::a_peer_whose_credentials_expired_is_not_listed",
            "timing::credentials_end_although_a_hook_runs",
            "timing::credentials_that_have_ended_reach_no_hook",
        ]),
    Fault::LivesForEver
        .put(Place::Memory, &["timing"])
        .fails(&["timing::a_longest_life_ends_with_1012"]),
    Fault::NeverGivesUp.put(Place::Memory, &["timing"]).fails(&[
        "timing::a_silent_client_is_a_timeout",
        "timing::a_silent_client_is_a_timeout_although_a_hook_runs",
        "timing::without_pings_idleness_is_a_timeout",
    ]),
    Fault::NeverPings.put(Place::Memory, &["timing"]).fails(&[
        "timing::the_heartbeat_pings",
        "timing::a_client_that_answers_is_kept",
        "timing::a_silent_client_is_a_timeout",
        "timing::a_silent_client_is_a_timeout_although_a_hook_runs",
        "timing::without_pings_idleness_is_a_timeout",
    ]),
    Fault::WaitsForEverForAClose
        .put(Place::Memory, &["timing"])
        .fails(&["timing::a_client_that_never_answers_the_close_is_dropped"]),
    Fault::WaitsForEverForAQueue
        .put(Place::Memory, &["timing"])
        .fails(&["timing::a_queue_that_does_not_move_is_closed"]),
    Fault::AnswersEveryRequestWith400
        .put(Place::Tokio, &["bad_http"])
        .fails(&[
            "bad_http::a_plain_upgrade_is_answered_with_101",
            "bad_http::byte_by_byte_is_accepted",
            "bad_http::a_frame_in_the_same_packet_is_delivered",
            "bad_http::connection_in_two_headers_is_accepted",
            "bad_http::tokens_in_any_case_and_in_lists_are_accepted",
            "bad_http::an_upgrade_in_http_1_0_is_ignored",
            "bad_http::another_version_is_426_with_ours",
            "bad_http::the_key_that_the_rfc_prints_is_accepted",
            "bad_http::a_refused_upgrade_ends_the_connection",
            "bad_http::too_many_headers_are_431",
            "bad_http::a_head_that_is_too_large_is_431",
            "bad_http::a_target_that_is_too_long_is_414",
            "bad_http::a_head_that_takes_too_long_is_408",
            "bad_http::a_header_that_is_not_ascii_is_harmless",
        ]),
    Fault::AnswersNoRequestWith400
        .put(Place::Tokio, &["bad_http"])
        .fails(&[
            "bad_http::a_missing_or_bad_key_is_400",
            "bad_http::what_is_not_http_is_400",
            "bad_http::a_missing_host_is_400",
            "bad_http::a_target_that_is_not_a_path_is_400",
            "bad_http::a_fragment_in_the_target_is_400",
            "bad_http::a_bad_handshake_reaches_no_hook",
        ]),
    Fault::AnswersBehindARefusal
        .put(Place::Tokio, &["bad_http"])
        .fails(&[
            "bad_http::a_silent_connection_is_let_go",
            "bad_http::a_refused_upgrade_ends_the_connection",
        ]),
    Fault::ClosesWithTheWrongCode
        .put(Place::Tokio, &["bad_frames", "compression"])
        .fails(&[
            "bad_frames::an_unmasked_frame_is_1002",
            "bad_frames::reserved_bits_are_1002",
            "bad_frames::reserved_opcodes_are_1002",
            "bad_frames::a_fragmented_control_frame_is_1002",
            "bad_frames::a_long_control_frame_is_1002",
            "bad_frames::a_continuation_of_nothing_is_1002",
            "bad_frames::a_new_message_inside_another_is_1002",
            "bad_frames::close_codes_that_must_not_be_sent_are_1002",
            "bad_frames::half_a_close_code_is_1002",
            "bad_frames::text_that_is_not_utf_8_is_1007",
            "bad_frames::a_close_reason_that_is_not_utf_8_is_1007",
            "bad_frames::a_declared_length_over_the_limit_is_1009",
            "bad_frames::a_frame_over_its_own_limit_is_1009",
            "bad_frames::an_absurd_length_is_1009_or_1002",
            "bad_frames::fragments_over_the_limit_together_are_1009",
            "bad_frames::the_close_frame_arrives_although_much_is_unread",
            "compression::by_default_a_compressed_message_is_1002",
            "compression::context_is_taken_over_if_agreed",
            "compression::rsv1_in_the_wrong_place_is_1002",
            "compression::what_does_not_decompress_is_1007",
            "compression::compressed_text_that_is_not_utf_8_is_1007",
            "compression::a_message_that_grows_over_the_limit_is_1009",
        ])
        // Bytes still in flight may destroy its close frame.
        .may_fail(&["bad_frames::endless_empty_fragments_are_harmless"]),
    Fault::CompressesNothing
        .put(Place::Tokio, &["compression"])
        .fails(&[
            "compression::a_peer_knows_what_was_negotiated",
            "compression::a_long_answer_is_compressed",
            "compression::what_is_published_is_compressed",
        ]),
    Fault::ForgetsWhichVersionItSpeaks
        .put(Place::Tokio, &["bad_http"])
        .fails(&["bad_http::another_version_is_426_with_ours"]),
    Fault::LosesItsLastFrame
        .put(Place::Tokio, &["bad_frames"])
        .fails(&[
            "bad_frames::an_unmasked_frame_is_1002",
            "bad_frames::reserved_bits_are_1002",
            "bad_frames::reserved_opcodes_are_1002",
            "bad_frames::a_fragmented_control_frame_is_1002",
            "bad_frames::a_long_control_frame_is_1002",
            "bad_frames::a_continuation_of_nothing_is_1002",
            "bad_frames::a_new_message_inside_another_is_1002",
            "bad_frames::close_codes_that_must_not_be_sent_are_1002",
            "bad_frames::half_a_close_code_is_1002",
            "bad_frames::text_that_is_not_utf_8_is_1007",
            "bad_frames::a_close_reason_that_is_not_utf_8_is_1007",
            "bad_frames::a_declared_length_over_the_limit_is_1009",
            "bad_frames::a_frame_over_its_own_limit_is_1009",
            "bad_frames::an_absurd_length_is_1009_or_1002",
            "bad_frames::fragments_over_the_limit_together_are_1009",
            "bad_frames::what_follows_a_close_frame_is_not_delivered",
            "bad_frames::the_close_frame_arrives_although_much_is_unread",
        ]),
    Fault::NegotiatesInSilence
        .put(Place::Tokio, &["compression"])
        .fails(&[
            "compression::an_offer_is_answered_where_it_is_wanted",
            "compression::the_first_acceptable_offer_counts",
            "compression::a_peer_knows_what_was_negotiated",
            "compression::a_compressed_message_is_read",
            "compression::a_compressed_message_in_fragments_is_read",
            "compression::a_message_that_is_not_compressed_is_read_too",
            "compression::a_long_answer_is_compressed",
            "compression::what_is_published_is_compressed",
            "compression::context_is_taken_over_if_agreed",
            "compression::rsv1_in_the_wrong_place_is_1002",
            "compression::what_does_not_decompress_is_1007",
            "compression::compressed_text_that_is_not_utf_8_is_1007",
            "compression::a_message_that_grows_over_the_limit_is_1009",
        ]),
];
