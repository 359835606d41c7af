//! Functions: create, read, change, list, delete (`functiongraph_06_0108`, `0105`, `0109`; OpenAPI
//! for configuration and code).

mod definition;
mod shown;
mod upload;

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::body::{self, Fields};
use super::cloud::{ALIASES, ASYNC_CONFIGS, CODES, Call, Cloud, FUNCTIONS, RECORDS, uuid};
use super::codes::{self, Code, Refusal};
use super::model::{Function, Strategy, version_key};
use super::options::EndOfList;
use super::urn::{LATEST, Qualifier, Urn, is_name, is_package};
use crate::http::Reply;
use crate::store::Batch;
pub(super) use shown::{View, full, urn_text};

/// Items of a page of functions or versions (list page: default and maximum 400).
const MAX_ITEMS: i64 = 400;

pub(super) fn create(cloud: &Cloud, call: &Call<'_>) -> Result<Reply, Refusal> {
    let map = body::object(call.body())?;
    let fields = Fields::new(&map);
    let name = fields.need_string("func_name", codes::FUNCTION_NAME)?;
    if !is_name(name) {
        return Err(codes::FUNCTION_NAME.into());
    }
    let package = fields.need_string("package", codes::PACKAGE)?;
    if !is_package(package) {
        return Err(codes::PACKAGE.into());
    }
    let definition = definition::read(&fields)?;
    let upload = upload::read(
        &fields,
        &definition.runtime,
        &definition.handler,
        &cloud.options.limits,
    )?;
    let now = cloud.clock.now_ms();
    let function = Function {
        project: call.project.id.clone(),
        package: package.to_owned(),
        name: name.to_owned(),
        version: LATEST.into(),
        id: uuid(),
        runtime: definition.runtime,
        handler: definition.handler,
        memory_mb: definition.memory_mb,
        timeout_s: definition.timeout_s,
        code: upload.info,
        settings: definition.settings,
        strategy: definition.strategy.over(Strategy {
            // FunctionGraph user manual, "Notes and Constraints": 400 instances of a function by
            // default.
            concurrency: 400,
            concurrent_num: 1,
        }),
        version_description: None,
        created_ms: now,
        modified_ms: now,
        revision: 1,
    };
    let _writing = cloud.writing();
    if cloud
        .store
        .get::<Function>(FUNCTIONS, &function.key())?
        .is_some()
    {
        return Err(codes::FUNCTION_EXISTS.into());
    }
    room_for(cloud, &function)?;
    cloud.save(&function, Some(&upload.bytes))?;
    Ok(Reply::json(
        200,
        &full(cloud, call.project, &function, View::Whole),
    ))
}

/// The counts of the account (user manual, "Notes and Constraints").
fn room_for(cloud: &Cloud, new: &Function) -> Result<(), Refusal> {
    let limits = &cloud.options.limits;
    let all = cloud.store.list::<Function>(FUNCTIONS, "")?;
    if all.iter().filter(|function| function.is_latest()).count() >= limits.functions {
        return Err(codes::TOO_MANY_FUNCTIONS.into());
    }
    let packages: HashSet<_> = all
        .iter()
        .map(|known| (&known.project, &known.package))
        .collect();
    if packages.len() >= limits.packages && !packages.contains(&(&new.project, &new.package)) {
        return Err(codes::TOO_MANY_PACKAGES.into());
    }
    let size: u64 = all.iter().map(|function| function.code.size).sum();
    if size.saturating_add(new.code.size) > limits.code_total {
        return Err(codes::TOO_MUCH_CODE.into());
    }
    Ok(())
}

pub(super) fn get_config(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let function = cloud.version(&call.project.id, urn)?;
    Ok(Reply::json(
        200,
        &full(cloud, call.project, &function, View::Whole),
    ))
}

/// A PUT of everything: the name and the runtime must be the present ones (OpenAPI,
/// `UpdateFunctionConfig`).
pub(super) fn put_config(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let map = body::object(call.body())?;
    let fields = Fields::new(&map);
    let _writing = cloud.writing();
    let mut function = cloud.changeable(&call.project.id, urn)?;
    if fields.need_string("func_name", codes::FUNCTION_NAME)? != function.name {
        return Err(codes::FUNCTION_NAME.refuse("the function name cannot be changed"));
    }
    let definition = definition::read(&fields)?;
    if definition.runtime != function.runtime {
        return Err(codes::RUNTIME.refuse("the runtime cannot be changed"));
    }
    if let Some(kind) = definition.settings.get("type")
        && kind.as_str() != Some(function.text_or("type", "v2"))
    {
        // INFERRED: the page of the update has no such field.
        return Err(codes::PARAMETER.refuse("the type cannot be changed"));
    }
    // With logs switched on an update fails that names no log (terraform-provider-huaweicloud, pull
    // request 6987: it has to ask for the names and send them along). INFERRED: the code.
    if definition.settings.get("enable_lts_log") == Some(&Value::Bool(true))
        && !definition.settings.contains_key("log_config")
    {
        return Err(codes::PARAMETER.refuse("log_config is required when enable_lts_log is true"));
    }
    let is_safe = |settings: &Map<String, Value>| {
        settings
            .get("func_vpc")
            .and_then(|vpc| vpc.get("is_safety"))
            == Some(&Value::Bool(true))
    };
    if is_safe(&function.settings) && !is_safe(&definition.settings) {
        // "Irreversible" (create page). INFERRED: the code.
        return Err(codes::PARAMETER.refuse("func_vpc.is_safety cannot be switched off"));
    }
    function.handler = definition.handler;
    function.memory_mb = definition.memory_mb;
    function.timeout_s = definition.timeout_s;
    let mut settings = definition.settings;
    for (name, value) in std::mem::take(&mut function.settings) {
        // Reads blank this field, so that leaving it out is the only way to keep it (INFERRED).
        if cloud.options.put_keeps_omitted || name == "encrypted_user_data" {
            settings.entry(name).or_insert(value);
        }
    }
    function.settings = settings;
    function.strategy = definition.strategy.over(function.strategy);
    changed(cloud, &mut function, None)?;
    Ok(Reply::json(
        200,
        &full(cloud, call.project, &function, View::Short),
    ))
}

fn changed(cloud: &Cloud, function: &mut Function, code: Option<&[u8]>) -> Result<(), Refusal> {
    function.modified_ms = cloud.clock.now_ms();
    function.revision += 1;
    cloud.save(function, code)
}

pub(super) fn get_code(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let function = cloud.version(&call.project.id, urn)?;
    let code = cloud.code(&function)?;
    Ok(Reply::json(
        200,
        &shown::code(call.project, cloud, &function, &code),
    ))
}

pub(super) fn put_code(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let map = body::object(call.body())?;
    let fields = Fields::new(&map);
    let _writing = cloud.writing();
    let mut function = cloud.changeable(&call.project.id, urn)?;
    if function.settings.contains_key("custom_image") {
        // The image is changed through the configuration (code page). INFERRED: the code.
        return Err(codes::CODE_TYPE.refuse("an image is changed by its configuration"));
    }
    let upload = upload::read(
        &fields,
        &function.runtime,
        &function.handler,
        &cloud.options.limits,
    )?;
    if let Some(list) = fields.strings("depend_version_list")? {
        function
            .settings
            .insert("depend_version_list".into(), list.clone());
    }
    function.code = upload.info;
    changed(cloud, &mut function, Some(&upload.bytes))?;
    Ok(Reply::json(
        200,
        &shown::code(call.project, cloud, &function, &upload.bytes),
    ))
}

/// −1 without a limit, 0 disables the function (OpenAPI, `UpdateFunctionMaxInstanceConfig`).
pub(super) fn put_max_instance(
    cloud: &Cloud,
    call: &Call<'_>,
    urn: &Urn,
) -> Result<Reply, Refusal> {
    let map = body::object(call.body())?;
    let _writing = cloud.writing();
    let mut function = cloud.changeable(&call.project.id, urn)?;
    let present = function.strategy.concurrency;
    let fields = Fields::new(&map);
    function.strategy.concurrency =
        fields.within("max_instance_num", -1..=1000, present, codes::CONCURRENCY)?;
    changed(cloud, &mut function, None)?;
    Ok(Reply::json(
        200,
        &full(cloud, call.project, &function, View::Short),
    ))
}

/// Where a function logs (OpenAPI, `ShowLtsLogDetails`): the names that an update needs and the
/// configuration does not show.
pub(super) fn log_detail(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let function = cloud.version(&call.project.id, urn)?;
    if !function.flag("enable_lts_log") {
        return Err(codes::NOT_FOUND.refuse("selectOneLog, group or stream not found"));
    }
    let project = &call.project.id;
    let log = function.settings.get("log_config");
    let member = |name: &str, default: String| {
        let sent = log.and_then(|log| log.get(name)).and_then(Value::as_str);
        sent.map_or(default, ToOwned::to_owned)
    };
    Ok(Reply::json(
        200,
        &json!({
            "group_id": member("group_id", format!("{project}-group")),
            "group_name": member("group_name", format!("functiongraph.log.group.{project}")),
            "stream_id": member("stream_id", format!("{}-stream", function.id)),
            "stream_name": member("stream_name", format!("{}-1", function.name)),
        }),
    ))
}

/// A page of a list: `marker` and `maxitems`, both texts that hold numbers (list page).
pub(super) struct Page {
    marker: i64,
    limit: i64,
    end: EndOfList,
    /// The list gives everything, whatever is asked for.
    ignored: bool,
}

impl Page {
    pub(super) fn of_items(cloud: &Cloud, call: &Call<'_>) -> Result<Self, Refusal> {
        Self::read(cloud, call, "maxitems", MAX_ITEMS, MAX_ITEMS)
    }

    pub(super) fn read(
        cloud: &Cloud,
        call: &Call<'_>,
        limit: &str,
        default: i64,
        max: i64,
    ) -> Result<Self, Refusal> {
        let number = |name: &str, default, min, max| {
            let read = call.query.integer(name, default, min, max);
            read.map_err(|why| codes::QUERY.refuse(why))
        };
        Ok(Self {
            marker: number("marker", 0, 0, i64::from(i32::MAX))?,
            limit: number(limit, default, default.min(1), max)?,
            end: cloud.options.end_of_list,
            ignored: cloud.options.ignore_paging,
        })
    }

    /// A limit of 0 is the default, and one above the largest page is the largest (OpenAPI,
    /// `ListFunctionAsyncInvokeConfig`).
    pub(super) fn lenient(
        cloud: &Cloud,
        call: &Call<'_>,
        limit: &str,
        default: i64,
        max: i64,
    ) -> Result<Self, Refusal> {
        let page = Self::read(cloud, call, limit, 0, i64::from(i32::MAX))?;
        Ok(Self {
            limit: if page.limit == 0 {
                default
            } else {
                page.limit.min(max)
            },
            ..page
        })
    }

    /// For lists that take marker and limit and do not look at them.
    pub(super) fn ignored(self) -> Self {
        Self {
            ignored: true,
            ..self
        }
    }

    /// The items of the page, and the marker for the next one: the offset behind the last item.
    pub(super) fn cut<T>(&self, all: Vec<T>) -> (Vec<T>, i64) {
        let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
        if self.ignored {
            // INFERRED: the marker goes on saying how much there is.
            return (all, total);
        }
        let skip = usize::try_from(self.marker).unwrap_or(usize::MAX);
        let take = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let items: Vec<T> = all.into_iter().skip(skip).take(take).collect();
        let behind = self.marker + i64::try_from(items.len()).unwrap_or(i64::MAX);
        let next = match self.end {
            EndOfList::Zero if behind >= total => 0,
            _ => behind,
        };
        (items, next)
    }
}

pub(super) fn list(cloud: &Cloud, call: &Call<'_>) -> Result<Reply, Refusal> {
    let page = Page::of_items(cloud, call)?;
    let mut functions = cloud
        .store
        .list::<Function>(FUNCTIONS, &format!("{}/", call.project.id))?;
    let (package, part) = (call.query.get("package_name"), call.query.get("func_name"));
    functions.retain(|function| {
        function.is_latest()
            && package.is_none_or(|package| function.package == package)
            && part.is_none_or(|part| function.name.contains(part))
    });
    let count = functions.len();
    let (items, next) = page.cut(functions);
    let items: Vec<Value> = items
        .iter()
        .map(|function| full(cloud, call.project, function, View::Item))
        .collect();
    Ok(Reply::json(
        200,
        &json!({"functions": items, "next_marker": next, "count": count}),
    ))
}

/// Without a version the whole function goes, else the version, also when an alias names it (alias
/// page).
pub(super) fn delete(cloud: &Cloud, call: &Call<'_>, urn: &Urn) -> Result<Reply, Refusal> {
    let project = &call.project.id;
    let _writing = cloud.writing();
    let latest = cloud.latest(project, urn)?;
    let settling = i64::try_from(cloud.options.settling.as_millis()).unwrap_or(i64::MAX);
    if cloud.clock.now_ms() < latest.created_ms.saturating_add(settling) {
        return Err(codes::PARAMETER.refuse("the function is being created, try again later"));
    }
    let batch = if urn.qualifier == Qualifier::None {
        whole(cloud, &latest)?
    } else {
        let function = cloud.version(project, urn)?;
        one_version(cloud, call, urn, &function)?
    };
    cloud.store.write(&batch)?;
    Ok(Reply::empty(204))
}

fn whole(cloud: &Cloud, latest: &Function) -> Result<Batch, Refusal> {
    let key = latest.whole_key();
    let mut batch = Batch::default();
    for table in [FUNCTIONS, CODES, ALIASES, ASYNC_CONFIGS, RECORDS] {
        let (from, to) = (format!("{key}/"), format!("{key}/\u{10ffff}"));
        for (key, _) in cloud.store.range::<Value>(table, &from, &to)? {
            batch = batch.remove(table, &key);
        }
    }
    Ok(batch)
}

/// `latest` cannot be deleted (version page). INFERRED: with `FSS.1015`, and an alias goes with its
/// main version.
fn one_version(
    cloud: &Cloud,
    call: &Call<'_>,
    urn: &Urn,
    function: &Function,
) -> Result<Batch, Refusal> {
    if function.is_latest() {
        return Err(codes::VERSION_NAME.refuse("the version latest cannot be deleted"));
    }
    let key = version_key(&call.project.id, &urn.package, &urn.name, &function.version);
    let mut batch = Batch::default()
        .remove(FUNCTIONS, &key)
        .remove(CODES, &key)
        .remove(ASYNC_CONFIGS, &key);
    for alias in cloud.aliases(&call.project.id, urn)? {
        if alias.weights.contains_key(&function.version)
            || alias.strategy.contains_key(&function.version)
        {
            return Err(codes::VERSION_IN_SPLIT.into());
        }
        if alias.version == function.version {
            batch = batch.remove(ALIASES, &format!("{}/{}", function.whole_key(), alias.name));
        }
    }
    Ok(batch)
}

/// A text within its length, counted in characters.
pub(super) fn description(fields: &Fields<'_>, code: Code) -> Result<Option<String>, Refusal> {
    match fields.string("description", code)? {
        // Create page, version page: 512.
        Some(text) if text.chars().count() > 512 => Err(code.into()),
        other => Ok(other.map(ToOwned::to_owned)),
    }
}
