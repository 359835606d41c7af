//! Versions and aliases of a function ("Publishing a Function Version", zh 2025-07-17;
//! `functiongraph_06_0112` to 0118).

use std::collections::BTreeMap;

use http::Method;

use super::function::Function;
use super::rules::PAGE;
use super::wire::{action as wire, put};
use super::{FunctionGraph, action_read, errors, rules};
use crate::call::Call;
use crate::error::{Error, Faults, Kind, Result};
use crate::names::{AliasName, FunctionVersion};
use crate::proto::*;
use crate::provider::lenient::List;
use crate::provider::paging::{Page, Said, WholeList};
use crate::provider::races;
use crate::provider::status::about;

impl FunctionGraph {
    pub(super) async fn publish_action_version(
        &self,
        call: &mut Call,
        request: PublishActionVersionRequest,
    ) -> Result<PublishActionVersionResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::parse(&request.package_name, &request.action_name, &mut faults);
        rules::description(&request.description, "description", &mut faults);
        if !request.version.is_empty() {
            let version = FunctionVersion::parse(&request.version, "version", &mut faults);
            faults.require(
                !version.is_some_and(|version| version.is_latest()),
                "version",
                || "is latest, which is the one that can be edited; choose another name.",
            );
        }
        faults.into_result()?;
        let function = rules::checked(function)?;
        let place = self.place(call).await?;
        let body = rules::to_body(&put::Publish {
            digest: &request.digest,
            version: &request.version,
            description: &request.description,
        })?;
        let url = function.url(place, "/versions", vec![])?;
        let response = self
            .put_body(call, place, Method::POST, url, body)
            .await
            .map_err(|error| function.named(error))?;
        let mut version = action_read::version(self.read(&response)?);
        if version.version.is_empty() && version.resource_id.is_empty() {
            return Err(self.not_understood(&response, "neither version nor func_urn"));
        }
        if request.version.is_empty() {
            // The caller takes the name to the next request.
            FunctionVersion::read(&version.version)
                .ok_or_else(|| self.not_understood(&response, "no usable version"))?;
        } else {
            about("version", &version.version, &request.version)?;
            version.version = request.version;
        }
        Ok(PublishActionVersionResponse {
            version: Some(version),
        })
    }

    pub(super) async fn list_action_versions(
        &self,
        call: &mut Call,
        request: ListActionVersionsRequest,
    ) -> Result<ListActionVersionsResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::parse(&request.package_name, &request.action_name, &mut faults);
        let scope = ("versions", &request.package_name, &request.action_name);
        let page = Page::parse(request.page_size, &request.page_token, scope, &mut faults);
        faults.into_result()?;
        let function = rules::checked(function)?;
        let place = self.place(call).await?;
        let (mut list, size) = (WholeList::new(PAGE), PAGE.to_string());
        loop {
            let marker = list.marker();
            let query = vec![("marker", marker.as_str()), ("maxitems", size.as_str())];
            let url = function.url(place, "/versions", query)?;
            let response = self
                .get(call, place, url)
                .await
                .map_err(|error| function.named(error))?;
            let part: wire::Versions = self.read(&response)?;
            let said = Said {
                next: part.next_marker.whole(),
                total: part.count,
            };
            let id = |item: &wire::Item| item.version.0.clone().unwrap_or_default();
            let versions = self.list(&response, part.versions, part.count)?;
            if !list.take(versions, id, said, response.body.len())? {
                break;
            }
        }
        let versions = list
            .into_items()
            .into_iter()
            .map(action_read::version)
            .collect();
        let (versions, next_page_token) =
            page.take(versions, |version: &ActionVersion| &version.version);
        Ok(ListActionVersionsResponse {
            versions,
            next_page_token,
        })
    }

    /// An update, or a creation where there is none yet.
    pub(super) async fn put_action_alias(
        &self,
        call: &mut Call,
        request: PutActionAliasRequest,
    ) -> Result<PutActionAliasResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::parse(&request.package_name, &request.action_name, &mut faults);
        let name = AliasName::parse(&request.alias_name, "alias_name", &mut faults);
        let alias = request.alias.unwrap_or_default();
        check_alias(&alias, &request.alias_name, &mut faults);
        faults.into_result()?;
        let (function, name) = (rules::checked(function)?, rules::checked(name)?);
        let place = self.place(call).await?;
        let url = function.url(place, &format!("/aliases/{name}"), vec![])?;
        let response = match self
            .put_body(
                call,
                place,
                Method::PUT,
                url.clone(),
                alias_body(&alias, None)?,
            )
            .await
        {
            Err(error) if error.kind == Kind::NotFound && !is_about_function(&error) => {
                let made = function.url(place, "/aliases", vec![])?;
                let body = alias_body(&alias, Some(name.as_str()))?;
                match self.put_body(call, place, Method::POST, made, body).await {
                    // Somebody else created it in between.
                    Err(error) if is_about_name(&error) => {
                        self.put_body(call, place, Method::PUT, url, alias_body(&alias, None)?)
                            .await
                    }
                    done => done,
                }
            }
            done => done,
        };
        let response = response.map_err(|error| function.named(error))?;
        let found: wire::Alias = self.read(&response)?;
        if found.name.0.is_none() && found.version.0.is_none() {
            return Err(self.not_understood(&response, "neither name nor version"));
        }
        about(
            "alias",
            found.name.0.as_deref().unwrap_or_default(),
            name.as_str(),
        )?;
        let found = read_alias(found, name.as_str());
        Ok(PutActionAliasResponse { alias: Some(found) })
    }

    pub(super) async fn list_action_aliases(
        &self,
        call: &mut Call,
        request: ListActionAliasesRequest,
    ) -> Result<ListActionAliasesResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::parse(&request.package_name, &request.action_name, &mut faults);
        let scope = ("aliases", &request.package_name, &request.action_name);
        let page = Page::parse(request.page_size, &request.page_token, scope, &mut faults);
        faults.into_result()?;
        let function = rules::checked(function)?;
        let place = self.place(call).await?;
        let url = function.url(place, "/aliases", vec![])?;
        let response = self
            .get(call, place, url)
            .await
            .map_err(|error| function.named(error))?;
        // A bare array; null when there is none (INFERRED).
        let list: List<wire::Alias> = self.read(&response)?;
        let list = self.list(&response, list, None)?;
        let aliases = list
            .into_iter()
            .map(|alias| read_alias(alias, ""))
            .collect();
        let (aliases, next_page_token) = page.take(aliases, |alias: &ActionAlias| &alias.name);
        Ok(ListActionAliasesResponse {
            aliases,
            next_page_token,
        })
    }

    pub(super) async fn delete_action_alias(
        &self,
        call: &mut Call,
        request: DeleteActionAliasRequest,
    ) -> Result<DeleteActionAliasResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::parse(&request.package_name, &request.action_name, &mut faults);
        let name = AliasName::parse(&request.alias_name, "alias_name", &mut faults);
        faults.into_result()?;
        let (function, name) = (rules::checked(function)?, rules::checked(name)?);
        let place = self.place(call).await?;
        let url = function.url(place, &format!("/aliases/{name}"), vec![])?;
        self.delete(call, place, url).await.map_err(|error| {
            if is_about_function(&error) {
                function.named(error)
            } else {
                error.resource("alias", name.as_str())
            }
        })?;
        Ok(DeleteActionAliasResponse {})
    }
}

/// Not the alias is missing, but what it belongs to.
fn is_about_function(error: &Error) -> bool {
    matches!(
        error.reason.as_ref(),
        errors::FUNCTION_NOT_FOUND | errors::VERSION_NOT_FOUND
    )
}

/// The alias itself is there, and not another one for its version.
fn is_about_name(error: &Error) -> bool {
    races::is_taken(error) && error.reason != errors::VERSION_HAS_ALIAS
}

fn check_alias(alias: &ActionAlias, name: &str, faults: &mut Faults) {
    faults.require(
        alias.name.is_empty() || alias.name == name,
        "alias.name",
        || format!("is not alias_name ({name}); leave it out."),
    );
    FunctionVersion::parse(&alias.version, "alias.version", faults);
    rules::description(&alias.description, "alias.description", faults);
    let mut sum = 0_i64;
    for (version, weight) in &alias.additional_version_weights {
        let field = format!("alias.additional_version_weights[{version:?}]");
        FunctionVersion::parse(version, &field, faults);
        faults.require((0..=100).contains(weight), &field, || {
            format!("is {weight}; it must be 0 to 100 percent.")
        });
        faults.require(
            *version != alias.version,
            &field,
            || "is the alias's own version; name another.",
        );
        sum += i64::from(*weight);
    }
    faults.require(sum <= 100, "alias.additional_version_weights", || {
        format!("add up to {sum}; all of them together may have 100 percent.")
    });
    for (version, strategy) in &alias.additional_version_strategy {
        let field = format!("alias.additional_version_strategy[{version:?}]");
        FunctionVersion::parse(version, &field, faults);
        let known = matches!(strategy.combine_type.as_str(), "and" | "or");
        faults.require(
            known,
            &format!("{field}.combine_type"),
            || "must be and, or or.",
        );
        faults.require(
            !strategy.rules.is_empty(),
            &format!("{field}.rules"),
            || "is required: at least one rule.",
        );
        for (index, rule) in strategy.rules.iter().enumerate() {
            let at = |name: &str| format!("{field}.rules[{index}].{name}");
            faults.require(
                rule.rule_type == "Header",
                &at("rule_type"),
                || "must be Header.",
            );
            faults.require(
                !rule.param.is_empty(),
                &at("param"),
                || "is required: the name of a header.",
            );
            faults.require(
                matches!(rule.op.as_str(), "=" | "in"),
                &at("op"),
                || "must be = or in.",
            );
            faults.require(!rule.value.is_empty(), &at("value"), || "is required.");
        }
    }
}

fn alias_rule(rule: &AliasVersionRule) -> put::AliasRule<'_> {
    put::AliasRule {
        rule_type: &rule.rule_type,
        param: &rule.param,
        op: &rule.op,
        value: &rule.value,
    }
}

fn alias_body(alias: &ActionAlias, name: Option<&str>) -> Result<bytes::Bytes> {
    let strategies: BTreeMap<_, _> = alias
        .additional_version_strategy
        .iter()
        .map(|(version, strategy)| {
            let rules = strategy.rules.iter().map(alias_rule).collect();
            (
                version.as_str(),
                put::AliasStrategy {
                    combine_type: &strategy.combine_type,
                    rules,
                },
            )
        })
        .collect();
    rules::to_body(&put::Alias {
        name,
        version: &alias.version,
        description: &alias.description,
        additional_version_weights: alias
            .additional_version_weights
            .iter()
            .map(|(version, weight)| (version.as_str(), *weight))
            .collect(),
        additional_version_strategy: strategies,
    })
}

fn read_alias(found: wire::Alias, name: &str) -> ActionAlias {
    // There is one type of rule.
    let rule = |rule: wire::AliasRule| AliasVersionRule {
        rule_type: rule.rule_type.0.unwrap_or_else(|| "Header".to_owned()),
        param: rule.param.0.unwrap_or_default(),
        op: rule.op.0.unwrap_or_default(),
        value: rule.value.0.unwrap_or_default(),
    };
    ActionAlias {
        name: found.name.0.unwrap_or_else(|| name.to_owned()),
        version: found.version.0.unwrap_or_default(),
        description: found.description.0.unwrap_or_default(),
        additional_version_weights: found
            .additional_version_weights
            .unwrap_or_default()
            .into_iter()
            .collect(),
        additional_version_strategy: found
            .additional_version_strategy
            .unwrap_or_default()
            .into_iter()
            // Without a rule no call goes there.
            .filter_map(|(version, strategy)| {
                let rules = strategy.rules.filter(|rules| !rules.is_empty())?;
                let rules = rules.into_iter().map(rule).collect();
                // INFERRED: where nothing is said, all rules must hold.
                let combine_type = strategy.combine_type.0.unwrap_or_else(|| "and".to_owned());
                Some((
                    version,
                    AliasVersionStrategy {
                        combine_type,
                        rules,
                    },
                ))
            })
            .collect(),
        resource_id: action_read::urn(found.alias_urn),
        last_modified: found.last_modified,
    }
}
