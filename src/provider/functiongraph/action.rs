//! Functions as actions ("Querying Functions", "Creating a Function", "Deleting a Function":
//! `functiongraph_06_0105`, 0108, 0109, and the calls for configuration and code).

use bytes::Bytes;
use http::Method;

use super::endpoint::Place;
use super::function::Function;
use super::rules::PAGE;
use super::wire::action as wire;
use super::{FunctionGraph, action_read, rules};
use crate::call::Call;
use crate::error::{Error, Faults, Result};
use crate::names::{FunctionPackage, Qualifier};
use crate::proto::*;
use crate::provider::paging::{Page, Said, WholeList};
use crate::provider::races;
use crate::transport::Response;

impl FunctionGraph {
    pub(super) async fn list_actions(
        &self,
        call: &mut Call,
        request: ListActionsRequest,
    ) -> Result<ListActionsResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let package = FunctionPackage::parse(&request.package_name, "package_name", &mut faults);
        let scope = ("actions", package.as_ref().map(FunctionPackage::as_str));
        let page = Page::parse(request.page_size, &request.page_token, scope, &mut faults);
        faults.into_result()?;
        let package = rules::checked(package)?;
        let place = self.place(call).await?;
        let functions = self
            .functions(call, place, Some(&package))
            .await
            .map_err(|error| error.resource("package", package.as_str()))?;
        let actions = functions
            .into_iter()
            .map(|item| action_read::summary(item, package.as_str()))
            .collect();
        let (actions, next_page_token) = page.take(actions, |action: &ActionSummary| &action.name);
        Ok(ListActionsResponse {
            actions,
            next_page_token,
        })
    }

    /// All functions, of one package or of the project.
    pub(super) async fn functions(
        &self,
        call: &mut Call,
        place: &Place,
        package: Option<&FunctionPackage>,
    ) -> Result<Vec<wire::Item>> {
        let (mut list, size) = (WholeList::new(PAGE), PAGE.to_string());
        loop {
            let marker = list.marker();
            let mut query = vec![("marker", marker.as_str()), ("maxitems", size.as_str())];
            query.extend(package.map(|package| ("package_name", package.as_str())));
            let response = self.get(call, place, place.functions(query)?).await?;
            let page: wire::Functions = self.read(&response)?;
            let said = Said {
                next: page.next_marker.whole(),
                total: page.count,
            };
            // Names are unique in a package.
            let id = |item: &wire::Item| match (&item.package.0, &item.func_name.0) {
                (package, Some(name)) => {
                    format!("{}/{name}", package.as_deref().unwrap_or_default())
                }
                (_, None) => String::new(),
            };
            let functions = self.list(&response, page.functions, page.count)?;
            if !list.take(functions, id, said, response.body.len())? {
                break;
            }
        }
        // A back end that does not know the filter must not mix packages.
        let wanted = |item: &wire::Item| match (&item.package.0, package) {
            (Some(theirs), Some(ours)) => theirs == ours.as_str(),
            _ => true,
        };
        Ok(list.into_items().into_iter().filter(wanted).collect())
    }

    pub(super) async fn get_action(
        &self,
        call: &mut Call,
        request: GetActionRequest,
    ) -> Result<GetActionResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::qualified(
            &request.package_name,
            &request.action_name,
            &request.version,
            &mut faults,
        );
        let encoding = rules::encoding(request.result_encoding, None, &mut faults);
        faults.into_result()?;
        let function = rules::checked(function)?;
        let place = self.place(call).await?;
        let named = |error: Error| function.named(error);
        let response = self
            .get(call, place, function.url(place, "/config", vec![])?)
            .await
            .map_err(named)?;
        let found = self.function(&response)?;
        let code = if request.include_code {
            Some(
                self.get(call, place, function.url(place, "/code", vec![])?)
                    .await
                    .map_err(named)?,
            )
        } else {
            None
        };
        let code = code
            .as_ref()
            .map(|response| self.read(response))
            .transpose()?;
        let action = action_read::action(found, code, &function, encoding)?;
        Ok(GetActionResponse {
            action: Some(action),
        })
    }

    /// A function's configuration, which names the function.
    pub(super) fn function(&self, response: &Response) -> Result<wire::Function> {
        let found: wire::Function = self.read(response)?;
        if found.func_name.0.is_none() && found.func_urn.0.is_none() {
            return Err(self.not_understood(response, "neither func_name nor func_urn"));
        }
        Ok(found)
    }

    pub(super) async fn delete_action(
        &self,
        call: &mut Call,
        request: DeleteActionRequest,
    ) -> Result<DeleteActionResponse> {
        let mut faults = Faults::new();
        rules::no_platform(request.platform, &mut faults);
        let function = Function::qualified(
            &request.package_name,
            &request.action_name,
            &request.version,
            &mut faults,
        );
        match function.as_ref().and_then(Function::qualifier) {
            // It would delete the version behind the alias.
            Some(Qualifier::Alias(_)) => {
                faults.add("version", "is an alias; use DeleteActionAlias.");
            }
            Some(Qualifier::Version(version)) if version.is_latest() => {
                faults.add(
                    "version",
                    "is latest, which cannot be deleted alone; leave it out to delete the whole action.",
                );
            }
            _ => {}
        }
        faults.into_result()?;
        let function = rules::checked(function)?;
        let place = self.place(call).await?;
        let url = function.url(place, "", vec![])?;
        self.delete(call, place, url)
            .await
            .map_err(|error| function.named(error))?;
        Ok(DeleteActionResponse {})
    }

    /// A delete without body, which would change the signature. That it is gone already after an
    /// earlier attempt is a success.
    pub(super) async fn delete(&self, call: &mut Call, place: &Place, url: url::Url) -> Result<()> {
        match self
            .send(
                call,
                place,
                self.request(Method::DELETE, url, Bytes::new(), true),
            )
            .await
        {
            Err(error) if races::is_deleted(&error) => Ok(()),
            Err(error) => Err(error),
            Ok(response) => self.done(&response),
        }
    }
}
