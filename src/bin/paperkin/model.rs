//! `paperkin model info`, `fetch`, `convert` and `list`.

use std::path::Path;

use paperkin::embed::{self, BUILT_IN, CachedModel, Model as EmbeddingModel};
use paperkin::{Error, ExitClass, Result, render};
use serde_json::json;

use crate::args::{JsonOnly, Model};
use crate::lists::print_json;
use crate::output;
use crate::settings::Settings;

pub(crate) fn run(command: &Model, settings: &Settings) -> Result<ExitClass> {
    match command {
        Model::Info(args) => info(args, settings)?,
        Model::Fetch { model } => fetch(model, settings)?,
        Model::Convert { from, to, name } => convert(from, to, name.as_deref(), settings)?,
        Model::List(args) => list(args, settings)?,
    }
    Ok(ExitClass::Done)
}

fn info(args: &JsonOnly, settings: &Settings) -> Result<()> {
    let model = settings.open_model()?;
    let space = model.space();
    let place = model.directory().map_or_else(|| "inside the program".to_owned(), |path| path.display().to_string());
    if args.json {
        return print_json(&json!({
            "model": space.model, "revision": space.revision, "place": place, "layers": model.layers(), "dim": space.dim,
            "max_tokens": space.max_tokens, "pooling": space.pooling, "document_prompt": space.prompt, "query_prompt": model.query_prompt(),
            "weights_bytes": model.weights_len(), "weights_sha256": space.weights_sha256, "tokenizer_sha256": space.tokenizer_sha256,
            "text_template": space.text_template,
        }));
    }
    let prompts = [("papers", space.prompt.as_str()), ("questions", model.query_prompt())];
    let prompts: Vec<String> = prompts.iter().filter(|(_, p)| !p.is_empty()).map(|(what, p)| format!("{p:?} before {what}")).collect();
    let facts = [
        ("model", space.model.clone()),
        ("revision", space.revision.clone().unwrap_or_default()),
        ("place", place),
        ("vectors", format!("{} numbers, {} pooling, of {} layers", space.dim, space.pooling, model.layers())),
        ("text", format!("{}, at most {} tokens", space.text_template, space.max_tokens)),
        ("prompts", prompts.join(", ")),
        ("weights", format!("{:.1} MB, sha256 {}", model.weights_len() as f64 / 1e6, space.weights_sha256)),
        ("tokenizer", format!("sha256 {}", space.tokenizer_sha256)),
    ];
    let lines: String =
        facts.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name:<12}{}\n", render::one_line(value))).collect();
    output::print(&lines)
}

fn list(args: &JsonOnly, settings: &Settings) -> Result<()> {
    let cached: Vec<CachedModel> = settings.cache.as_ref().map(|cache| cache.list()).unwrap_or_default();
    let built_in = EmbeddingModel::built_in().ok();
    if args.json {
        let first = built_in.as_ref().map(|m| json!({ "model": BUILT_IN, "is": m.space().model, "bytes": m.weights_len() }));
        return print_json(&first.into_iter().chain(cached.iter().map(|m| json!(m))).collect::<Vec<_>>());
    }
    let mut lines = String::new();
    if let Some(model) = built_in {
        lines.push_str(&format!("{BUILT_IN}  {:.1} MB  {}, inside the program\n", model.weights_len() as f64 / 1e6, model.space().model));
    }
    for model in cached {
        lines.push_str(&format!("{}  {:.1} MB  {}\n", model.model, model.bytes as f64 / 1e6, model.path.display()));
    }
    output::print(&lines)
}

fn convert(from: &Path, to: &Path, name: Option<&str>, settings: &Settings) -> Result<()> {
    let folder = from.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let name = name.map(str::to_owned).or(folder).unwrap_or_else(|| "model".to_owned());
    let done = embed::convert(from, to, &name)?;
    let (before, after) = done.bytes;
    output::say(
        settings,
        &format!(
            "{} files written to {}: weights {:.1} MB, were {:.1} MB; no weight moved by more than {:.1e}",
            done.files.len(),
            to.display(),
            after as f64 / 1e6,
            before as f64 / 1e6,
            done.largest_difference
        ),
    );
    Ok(())
}

/// Gets a model into the hub's cache.
#[cfg(feature = "remote")]
pub(crate) fn fetch(name: &str, settings: &Settings) -> Result<()> {
    use std::ops::ControlFlow;
    use std::path::PathBuf;

    use paperkin::remote::hub::Hub;

    use crate::output::Bar;
    use crate::settings::variable;

    if !embed::is_hub_id(name) {
        return Err(Error::usage(format!("{name:?} is no hub id; expected ORG/NAME or ORG/NAME@REVISION")));
    }
    let Some(cache) = &settings.cache else {
        return Err(Error::usage("no place for the hub's cache: set HF_HOME or HOME"));
    };
    if settings.offline {
        let looked = vec![format!("the hub's cache {}", cache.directory().display())];
        return match embed::resolve(name, Some(cache)) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::ModelNotFound { model: name.to_owned(), looked, why: "and paperkin is set to offline".to_owned() }),
        };
    }
    let hub_home = || Some(variable("HF_HOME").map_or(dirs::home_dir()?.join(".cache/huggingface"), PathBuf::from));
    let token_path = || variable("HF_TOKEN_PATH").map(PathBuf::from).or_else(|| Some(hub_home()?.join("token")));
    let token_file = || std::fs::read_to_string(token_path()?).ok();
    let token = variable("HF_TOKEN").or_else(|| variable("HUGGING_FACE_HUB_TOKEN")).or_else(token_file).map(|token| token.trim().to_owned());
    let hub = Hub::new(variable("HF_ENDPOINT"), token.filter(|token| !token.is_empty()));
    let (model, revision) = name.split_once('@').unwrap_or((name, "main"));
    crate::catch_interrupts().or_else(|_| Ok::<(), Error>(()))?;
    output::say(settings, &format!("fetching {name} from {}", hub.endpoint));
    let bar = Bar::new(settings, None, "bytes");
    let which = |modules: &[u8]| embed::model_files(model, modules);
    let fetched = hub.fetch(model, revision, cache.directory(), &which, &mut |progress| {
        let of = progress.total.map(|total| format!(" of {total}")).unwrap_or_default();
        bar.set(progress.done, format!("{of} of {}", progress.file));
        if crate::is_interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    drop(bar);
    output::say(settings, &format!("{} files, {:.1} MB fetched now, in {}", fetched.files, fetched.bytes as f64 / 1e6, fetched.directory.display()));
    Ok(())
}

/// This build cannot open a connection.
#[cfg(not(feature = "remote"))]
pub(crate) fn fetch(name: &str, _: &Settings) -> Result<()> {
    Err(Error::Usage {
        message: format!("this paperkin was built without the network, and cannot fetch {name}"),
        hint: Some("fetch it with another program of the hub, or build with --features remote".to_owned()),
    })
}
