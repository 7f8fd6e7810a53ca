//! The files of a repository as objects of a storage: a folder, or a bucket.

use std::collections::VecDeque;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use futures_core::Stream;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use rustic_core::{BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend};
use tokio::runtime::Runtime;

use super::failure;
use super::place::Place;
use crate::db::lock;
use crate::error::{Error, Result};

/// Packs are read in pieces of this size: a chunk of a database is a few kilobytes, and a request for each would take
/// hours.
const BLOCK: u32 = 2 << 20;
/// Pieces that are kept: chunks that lie side by side in a database mostly do so in a pack.
const BLOCKS: usize = 32;

/// Reads and writes the files of a repository.
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    root: Path,
    shown: String,
    state: Mutex<State>,
    blocks: Mutex<VecDeque<((Id, u32), Block)>>,
    /// Always there until the drop, which may not be the usual one: that panics inside another runtime.
    runtime: Option<Runtime>,
}

type Block = Arc<OnceLock<Option<Bytes>>>;

#[derive(Default)]
struct State {
    /// What went wrong first. The repository's own errors only say that something did.
    failed: Option<Error>,
    /// The packs that were written.
    packs: Vec<Id>,
    /// Whether a snapshot is held back, and the one that is.
    holding: bool,
    held: Option<(Id, Bytes)>,
    /// Whether the caller wants no more.
    stopped: bool,
}

impl Objects {
    pub(super) fn new(place: &Place) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("openwa-backup")
            .enable_all()
            .build()?;
        let (store, root) = place.storage()?;
        Ok(Objects {
            store,
            root,
            shown: place.shown(),
            state: Mutex::default(),
            blocks: Mutex::default(),
            runtime: Some(runtime),
        })
    }

    /// Where the repository is, for people.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// A file beside those of the repository.
    pub(super) fn beside(&self, name: &str) -> Path {
        self.root.clone().join(name)
    }

    /// What the storage told, or else what the repository makes of it.
    pub(super) fn failure(&self, e: &RusticError) -> Error {
        let told = lock(&self.state).failed.take();
        told.unwrap_or_else(|| failure::of_repository(e, &self.shown))
    }

    /// From now on everything fails.
    pub(super) fn stop(&self) {
        lock(&self.state).stopped = true;
    }

    /// From now on a snapshot that is written stays here until [`let_go`](Self::let_go).
    pub(super) fn hold_snapshot(&self) {
        lock(&self.state).holding = true;
    }

    /// Writes the snapshot that was held back, which makes a backup of what was written before.
    pub(super) fn let_go(&self) -> Result<()> {
        let held = {
            let mut state = lock(&self.state);
            state.holding = false;
            state.held.take()
        };
        match held {
            Some((id, bytes)) => {
                self.put(self.path(FileType::Snapshot, &id), vec![bytes]).map_err(|e| self.told(&e))
            }
            None => Ok(()),
        }
    }

    /// The packs that were written since the last call.
    pub(super) fn take_packs(&self) -> Vec<Id> {
        std::mem::take(&mut lock(&self.state).packs)
    }

    /// Waits for work of the storage. It runs on threads of its own, so the caller may be on one of another runtime.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.runtime.as_ref()?.spawn(async move {
            // Nobody is left to hear when this fails.
            let _ = answer.send(work.await);
        });
        answered.recv().ok()
    }

    /// The same, where the storage may fail.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> object_store::Result<T> {
        let gone =
            || object_store::Error::Generic { store: "openwa", source: "the work was given up".into() };
        if lock(&self.state).stopped {
            return Err(gone());
        }
        self.wait(work).unwrap_or_else(|| Err(gone()))
    }

    pub(super) fn told(&self, e: &object_store::Error) -> Error {
        failure::of_storage(e, &self.shown)
    }

    /// Remembers what the storage told, and says so in the words that the repository understands.
    fn note(&self, e: &object_store::Error) -> Box<RusticError> {
        let told = self.told(e);
        let text = told.to_string();
        lock(&self.state).failed.get_or_insert(told);
        RusticError::new(ErrorKind::Backend, text)
    }

    fn folder(&self, tpe: FileType) -> Path {
        self.root.clone().join(tpe.dirname())
    }

    fn path(&self, tpe: FileType, id: &Id) -> Path {
        let folder = self.folder(tpe);
        let name = id.to_hex();
        match tpe {
            FileType::Config => folder,
            FileType::Pack => folder.join(&name.as_str()[..2]).join(name.as_str()),
            _ => folder.join(name.as_str()),
        }
    }

    fn put(&self, path: Path, content: Vec<Bytes>) -> object_store::Result<()> {
        let store = self.store();
        self.ask(async move { store.put(&path, PutPayload::from_iter(content)).await.map(|_| ()) })
    }

    fn get(&self, path: Path, range: Option<Range<u64>>) -> object_store::Result<Bytes> {
        let store = self.store();
        self.ask(async move {
            match range {
                Some(range) => store.get_range(&path, range).await,
                None => store.get(&path).await?.bytes().await,
            }
        })
    }

    /// A piece of a pack, from those that are kept or from the storage.
    fn block(&self, id: &Id, number: u32) -> RusticResult<Bytes> {
        let block = {
            let mut blocks = lock(&self.blocks);
            let kept = blocks.iter().position(|(key, _)| *key == (*id, number));
            let (key, block) = match kept.and_then(|i| blocks.remove(i)) {
                Some(kept) => kept,
                None => ((*id, number), Block::default()),
            };
            blocks.push_front((key, Arc::clone(&block)));
            blocks.truncate(BLOCKS);
            block
        };
        let mut failed = None;
        // Whoever comes first asks; the others wait for the answer.
        let bytes = block.get_or_init(|| {
            let start = u64::from(number) * u64::from(BLOCK);
            let got = self.get(self.path(FileType::Pack, id), Some(start..start + u64::from(BLOCK)));
            got.map_err(|e| failed = Some(self.note(&e))).ok()
        });
        match (bytes, failed) {
            (Some(bytes), _) => Ok(bytes.clone()),
            (None, failed) => {
                lock(&self.blocks).retain(|(key, _)| *key != (*id, number));
                Err(failed.unwrap_or_else(|| missing("the storage failed for another reader")))
            }
        }
    }
}

fn missing(text: &str) -> Box<RusticError> {
    RusticError::new(ErrorKind::Backend, text)
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Objects").field(&self.shown).finish()
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl ReadBackend for Objects {
    fn location(&self) -> String {
        self.shown.clone()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let store = self.store();
        if tpe == FileType::Config {
            let path = self.folder(tpe);
            return match self.ask(async move { store.head(&path).await }) {
                Ok(meta) => Ok(vec![(Id::default(), u32::try_from(meta.size).unwrap_or(u32::MAX))]),
                Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
                Err(e) => Err(self.note(&e)),
            };
        }
        let folder = self.folder(tpe);
        let found = self.ask(async move {
            let mut listing = store.list(Some(&folder));
            let mut found = Vec::new();
            while let Some(meta) = std::future::poll_fn(|cx| Pin::new(&mut listing).poll_next(cx)).await {
                let meta = meta?;
                let id = meta.location.filename().and_then(|name| name.parse::<Id>().ok());
                let size = u32::try_from(meta.size).unwrap_or(u32::MAX);
                found.extend(id.map(|id| (id, size)));
            }
            Ok(found)
        });
        let mut found = found.map_err(|e| self.note(&e))?;
        if tpe == FileType::Snapshot
            && let Some((id, bytes)) = &lock(&self.state).held
        {
            found.push((*id, u32::try_from(bytes.len()).unwrap_or(u32::MAX)));
        }
        Ok(found)
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        if tpe == FileType::Snapshot
            && let Some((held, bytes)) = &lock(&self.state).held
            && held == id
        {
            return Ok(bytes.clone());
        }
        self.get(self.path(tpe, id), None).map_err(|e| self.note(&e))
    }

    fn read_partial(&self, tpe: FileType, id: &Id, _: bool, offset: u32, length: u32) -> RusticResult<Bytes> {
        let end = offset.checked_add(length).ok_or_else(|| missing("a piece lies outside of its file"))?;
        if tpe != FileType::Pack || length > BLOCK {
            let range = u64::from(offset)..u64::from(end);
            let bytes = self.get(self.path(tpe, id), Some(range)).map_err(|e| self.note(&e))?;
            return if bytes.len() == length as usize {
                Ok(bytes)
            } else {
                Err(missing("a file is too short"))
            };
        }
        let (first, last) = (offset / BLOCK, end.saturating_sub(1).max(offset) / BLOCK);
        let mut out = Vec::with_capacity(length as usize);
        for number in first..=last {
            let block = self.block(id, number)?;
            let start = u64::from(number) * u64::from(BLOCK);
            let within = |at: u32| usize::try_from(u64::from(at).saturating_sub(start)).unwrap_or(usize::MAX);
            let (from, to) = (within(offset), within(end).min(block.len()));
            let part = block.get(from..to).ok_or_else(|| missing("a pack is too short"))?;
            if first == last && part.len() == length as usize {
                return Ok(block.slice(from..to));
            }
            out.extend_from_slice(part);
        }
        if out.len() == length as usize { Ok(out.into()) } else { Err(missing("a pack is too short")) }
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        self.path(tpe, id).to_string()
    }
}

impl WriteBackend for Objects {
    fn write_bytes(&self, tpe: FileType, id: &Id, _: bool, content: BytesList) -> RusticResult<()> {
        let mut content = content.into_vec();
        if tpe == FileType::Snapshot {
            let mut state = lock(&self.state);
            if state.holding {
                let whole = if content.len() == 1 { content.remove(0) } else { content.concat().into() };
                state.held = Some((*id, whole));
                return Ok(());
            }
        }
        self.put(self.path(tpe, id), content).map_err(|e| self.note(&e))?;
        if tpe == FileType::Pack {
            lock(&self.state).packs.push(*id);
        }
        Ok(())
    }

    fn remove(&self, tpe: FileType, id: &Id, _: bool) -> RusticResult<()> {
        let (store, path) = (self.store(), self.path(tpe, id));
        match self.ask(async move { store.delete(&path).await }) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.note(&e)),
        }
    }
}
