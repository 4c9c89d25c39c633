//! What a route says about itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use crossws_core::Settings;
use serde_json::Value;

use super::schemas::{SchemaOf, Schemas};
use super::{CallsDescription, Content, Description, MethodDescription, RouteDescription};
use crate::calls::wire::WireForm;
use crate::routes::pattern::Pattern;
use crate::routes::router::info::RouteInfo;

/// The part of a route's settings that only its description reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    pub(crate) doc: Option<Arc<str>>,
    pub(crate) query: Option<SchemaOf>,
    pub(crate) receives: Option<SchemaOf>,
    pub(crate) sends: Option<SchemaOf>,
    pub(crate) reports_errors: bool,
    pub(crate) calls: Option<AboutCalls>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct AboutCalls {
    pub(crate) form: WireForm,
    pub(crate) methods: BTreeMap<String, AboutMethod>,
    pub(crate) events: BTreeMap<String, Option<SchemaOf>>,
    pub(crate) client_methods: BTreeMap<String, AboutMethod>,
    pub(crate) client_events: BTreeMap<String, Option<SchemaOf>>,
}

/// The types of a method, if they are known.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AboutMethod {
    pub(crate) args: Option<SchemaOf>,
    pub(crate) result: Option<SchemaOf>,
}

impl Description {
    pub(crate) fn of<'r>(
        routes: impl Iterator<Item = (RouteInfo<'r>, Option<&'r About>)>,
    ) -> Description {
        let defaults = Arc::new(Settings::default());
        let mut schemas = Schemas::default();
        let mut description = Description::default();
        for (info, about) in routes {
            let settings = info.settings.apply(&defaults);
            let about = about.cloned().unwrap_or_default();
            description.routes.push(RouteDescription {
                pattern: Pattern::clone(info.pattern),
                name: info.name().map(|name| name.to_string()),
                doc: about.doc.map(|doc| doc.to_string()),
                protocols: settings.protocols.clone(),
                query: about.query.map(|schema| schema.of(&mut schemas)),
                receives: content(about.receives, &mut schemas),
                sends: content(about.sends, &mut schemas),
                reports_errors: about.reports_errors,
                calls: about.calls.map(|calls| calls.describe(&mut schemas)),
            });
        }
        schemas.finish(&mut description);
        description
    }

    /// Calls a function with each schema outside of the definitions, and whether the client sends it.
    pub(super) fn each_schema(&mut self, mut visit: impl FnMut(&mut Value, bool)) {
        for route in &mut self.routes {
            if let Some(schema) = &mut route.query {
                visit(schema, true);
            }
            if let Content::Json(schema) = &mut route.receives {
                visit(schema, true);
            }
            if let Content::Json(schema) = &mut route.sends {
                visit(schema, false);
            }
            let Some(calls) = &mut route.calls else {
                continue;
            };
            let events = calls.events.values_mut().flatten();
            events.for_each(|schema| visit(schema, true));
            let events = calls.client_events.values_mut().flatten();
            events.for_each(|schema| visit(schema, false));
            let methods = calls.methods.values_mut().map(|method| (method, true));
            let asked = calls.client_methods.values_mut();
            for (method, by_client) in methods.chain(asked.map(|method| (method, false))) {
                if let Some(args) = &mut method.args {
                    visit(args, by_client);
                }
                if let Some(result) = &mut method.result {
                    visit(result, !by_client);
                }
            }
        }
    }
}

fn content(schema: Option<SchemaOf>, schemas: &mut Schemas) -> Content {
    match schema {
        Some(schema) => Content::Json(schema.of(schemas)),
        None => Content::Unknown,
    }
}

impl AboutCalls {
    fn describe(self, schemas: &mut Schemas) -> CallsDescription {
        let mut event = |(name, schema): (String, Option<SchemaOf>)| {
            (name, schema.map(|schema| schema.of(schemas)))
        };
        let events = self.events.into_iter().map(&mut event).collect();
        let client_events = self.client_events.into_iter().map(&mut event).collect();
        let mut method = |(name, about): (String, AboutMethod)| {
            let args = about.args.map(|schema| schema.of(schemas));
            let result = about.result.map(|schema| schema.of(schemas));
            (name, MethodDescription { args, result })
        };
        CallsDescription {
            form: self.form,
            methods: self.methods.into_iter().map(&mut method).collect(),
            events,
            client_methods: self.client_methods.into_iter().map(&mut method).collect(),
            client_events,
        }
    }
}
