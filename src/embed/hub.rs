//! Which model a name means, and the hub's cache on this machine.
//!
//! The order is: the built-in model, a directory, the hub's cache. What is in none of them may be fetched, which is
//! `remote`'s work. The cache is the one that every program of the hub shares, laid out as `hf-hub` says.

use std::path::{Path, PathBuf};

use hf_hub::{Cache, Repo, RepoType};
use serde::Serialize;

use super::Model;
use super::modules::{MODULES, WEIGHTS, model_files};
use crate::error::{Error, Result};

/// The name that means the model inside the binary.
pub const BUILT_IN: &str = "built-in";

/// The hub's cache: a directory of `models--ORG--NAME`.
#[derive(Debug, Clone)]
pub struct HubCache {
    directory: PathBuf,
}

/// A model in the cache.
#[derive(Debug, Clone, Serialize)]
pub struct CachedModel {
    /// Its hub id.
    pub model: String,
    /// The commit.
    pub revision: String,
    /// The directory of its files.
    pub path: PathBuf,
    /// Bytes of its weights.
    pub bytes: u64,
}

impl HubCache {
    /// The cache in this directory, which need not exist.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// The directory that the environment names: `HF_HUB_CACHE`, else `HUGGINGFACE_HUB_CACHE`, else `hub` in `HF_HOME`, else
    /// in `huggingface` in `XDG_CACHE_HOME`, else in `.cache/huggingface` in the home directory.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>, home: Option<PathBuf>) -> Option<Self> {
        let path = |name: &str| variable(name).map(PathBuf::from);
        path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| path("HF_HOME").map(|home| home.join("hub")))
            .or_else(|| path("XDG_CACHE_HOME").map(|cache| cache.join("huggingface/hub")))
            .or_else(|| home.map(|home| home.join(".cache/huggingface/hub")))
            .map(Self::new)
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The snapshot of a model that is whole in the cache: its directory and its commit.
    pub fn snapshot(&self, model: &str, revision: &str) -> Option<(PathBuf, String)> {
        let repo = Repo::with_revision(model.to_owned(), RepoType::Model, revision.to_owned());
        let cache = Cache::new(self.directory.clone()).repo(repo);
        let commit = match cache.get(MODULES) {
            Some(path) => path.parent()?.file_name()?.to_string_lossy().into_owned(),
            // A commit has no ref of its own.
            None => revision.to_owned(),
        };
        let directory = cache.pointer_path(&commit);
        let modules = std::fs::read(directory.join(MODULES)).ok()?;
        let (needed, _) = model_files(model, &modules).ok()?;
        needed.iter().all(|file| directory.join(file).exists()).then_some((directory, commit))
    }

    /// The sentence-transformers in the cache, by name.
    pub fn list(&self) -> Vec<CachedModel> {
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let ids = names.filter_map(|name| Some(name.strip_prefix("models--")?.replace("--", "/")));
        let mut models: Vec<CachedModel> = ids
            .filter_map(|model| {
                let (path, revision) = self.snapshot(&model, "main")?;
                let bytes = std::fs::metadata(path.join(WEIGHTS)).map_or(0, |m| m.len());
                Some(CachedModel { model, revision, path, bytes })
            })
            .collect();
        models.sort_by(|a, b| a.model.cmp(&b.model));
        models
    }
}

/// Finds the model that a name means: [`BUILT_IN`], a directory, or a hub id, `ORG/NAME` or `ORG/NAME@REVISION`, in the cache.
///
/// # Errors
///
/// [`Error::ModelNotFound`] says where it looked; what is wrong with a model that was found is said too.
pub fn resolve(name: &str, cache: Option<&HubCache>) -> Result<Model> {
    if name == BUILT_IN {
        return Model::built_in();
    }
    if Path::new(name).is_dir() {
        return Model::from_directory(Path::new(name), None, None);
    }
    let mut looked = vec![format!("the directory {name}")];
    if let (true, Some(cache)) = (is_hub_id(name), cache) {
        let (model, revision) = split_revision(name);
        if let Some((directory, commit)) = cache.snapshot(model, revision) {
            return Model::from_directory(&directory, Some(model), Some(&commit));
        }
        looked.push(format!("the hub's cache {}", cache.directory.display()));
    }
    Err(Error::ModelNotFound { model: name.to_owned(), looked, why: String::new() })
}

/// `ORG/NAME@REVISION`; without a revision, `main`.
pub(crate) fn split_revision(name: &str) -> (&str, &str) {
    name.split_once('@').unwrap_or((name, "main"))
}

/// True if a name can be a model's on the hub: `ORG/NAME`, perhaps with `@REVISION`.
pub fn is_hub_id(name: &str) -> bool {
    let (model, revision) = split_revision(name);
    let is_part = |part: &str| {
        !part.is_empty()
            && part.len() <= 96
            && !part.starts_with(['.', '-'])
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && !part.contains("..")
            && !part.contains("--")
    };
    let parts: Vec<&str> = model.split('/').collect();
    parts.len() == 2 && parts.into_iter().all(is_part) && revision.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hub_ids_are_told_from_paths() {
        for id in ["sentence-transformers/all-MiniLM-L6-v2", "BAAI/bge-small-en-v1.5@main", "a/b@refs/pr/1"] {
            assert!(is_hub_id(id), "{id}");
        }
        for path in ["./a/b", "/a/b", "a", "a/b/c", "../a", "a/..", "a/b@..", "a/b@", "", "a//b", "C:/b"] {
            assert!(!is_hub_id(path), "{path}");
        }
    }

    #[test]
    fn the_environment_names_the_cache() {
        let directory = |set: &[(&str, &str)]| {
            let variable = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            HubCache::from_variables(variable, Some("/home/x".into())).map(|cache| cache.directory.display().to_string())
        };
        assert_eq!(directory(&[]).as_deref(), Some("/home/x/.cache/huggingface/hub"));
        assert_eq!(directory(&[("XDG_CACHE_HOME", "/c")]).as_deref(), Some("/c/huggingface/hub"));
        assert_eq!(directory(&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/c")]).as_deref(), Some("/h/hub"));
        assert_eq!(directory(&[("HF_HUB_CACHE", "/k"), ("HF_HOME", "/h")]).as_deref(), Some("/k"));
    }
}
