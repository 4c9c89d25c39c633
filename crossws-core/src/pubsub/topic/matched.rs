//! A publication to a topic whose name patterns match.

use std::sync::Arc;

use super::several::{self, for_each_member, lock_all};
use super::{Several, SubscribersOf, Topic, TopicState};
use crate::peer::Peer;
use crate::peer::told::Told;
use crate::pubsub::filter::Filter;
use crate::pubsub::publication::Publication;

/// Passes a publication to the members of a topic, which may have none, and to those of patterns
/// that match its name, once each.
#[cold]
pub(crate) fn publish_matched(
    topic: Option<Arc<Topic>>,
    patterns: Several,
    except: Option<&Peer>,
    publication: &Publication,
    told: &mut Told,
) {
    match topic {
        Some(topic) => topic.publish_matched(patterns, except, publication, told),
        None => {
            let only = Filter::default();
            let audience = SubscribersOf::new(patterns, Several::new(), &only);
            audience.publish(except, publication.into(), told);
        }
    }
}

impl Topic {
    /// As [`publish`](Self::publish), and passes the publication to the members of these patterns
    /// that are not members of the topic.
    ///
    /// The topic is locked before the patterns, and all of them until the end. The members of the
    /// patterns therefore see the topic's messages in the order of its members, which still read
    /// them from its log.
    fn publish_matched(
        self: &Arc<Self>,
        mut patterns: Several,
        except: Option<&Peer>,
        publication: &Publication,
        told: &mut Told,
    ) {
        several::sort(&mut patterns);
        for pattern in &patterns {
            // Before the locks, because compressing would keep every other publisher out.
            loop {
                let wanted = pattern.state.lock().wants_encoded(None, publication);
                let Some(wire) = wanted else { break };
                publication.encoded(wire);
            }
        }
        let then = |state: &TopicState, told: &mut Told| {
            let is_left_out = |peer: &Peer| {
                except.is_some_and(|except| except.is(peer)) || state.key_of(self, peer).is_some()
            };
            for_each_member(&lock_all(&patterns), is_left_out, |peer| {
                told.publish(peer, publication);
            });
        };
        self.publish_then(except, publication, told, Some(&then));
    }
}
