//! Handles: what C holds as an opaque pointer.
//!
//! Every handle starts with a tag that tells what it is and whether it is alive, so that a NULL, freed or mistaken
//! pointer is an error with a message instead of a crash. The shell of a freed handle (the tag, without what was in it)
//! is kept for a while, so that looking at its tag stays allowed: the last thousand handles can be told from live ones
//! with certainty.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use ::openwa_store::{Error, Kind, Result};

/// A type that C sees as an opaque struct.
pub(crate) trait Handle {
    /// What is in it.
    type Body;
    /// Its name in C.
    const NAME: &'static str;
    /// Tells it from other handles.
    const TAG: u32;
}

const DEAD: u32 = 0xDEAD_0A0A;

/// What a handle points to.
#[repr(C)]
pub(crate) struct Shell<T> {
    mark: Mark,
    body: UnsafeCell<MaybeUninit<T>>,
}

/// The head of every shell, whatever is in it. The tag comes first: it is all that is read of a mistaken pointer.
#[repr(C)]
struct Mark {
    tag: AtomicU32,
    /// Gives the memory of the whole shell back.
    release: unsafe fn(*mut Mark),
}

/// Gives C a new handle.
pub(crate) fn create<H: Handle>(body: H::Body) -> *mut H {
    let mark = Mark { tag: AtomicU32::new(H::TAG), release: release::<H::Body> };
    Box::into_raw(Box::new(Shell { mark, body: UnsafeCell::new(MaybeUninit::new(body)) })).cast()
}

unsafe fn release<T>(at: *mut Mark) {
    drop(unsafe { Box::from_raw(at.cast::<Shell<T>>()) });
}

/// What is in a handle.
///
/// # Errors
/// `InvalidArgument` for NULL, a freed handle, or a handle of another kind.
#[inline]
pub(crate) unsafe fn get<'a, H: Handle>(handle: *const H) -> Result<&'a H::Body> {
    let shell = unsafe { shell(handle) }?;
    Ok(unsafe { (*shell.body.get()).assume_init_ref() })
}

/// What is in a handle that nobody else uses at the moment.
///
/// # Errors
/// As [`get`].
#[inline]
pub(crate) unsafe fn get_mut<'a, H: Handle>(handle: *mut H) -> Result<&'a mut H::Body> {
    let shell = unsafe { shell(handle.cast_const()) }?;
    Ok(unsafe { (*shell.body.get()).assume_init_mut() })
}

#[inline]
unsafe fn shell<'a, H: Handle>(handle: *const H) -> Result<&'a Shell<H::Body>> {
    if handle.is_null() {
        return Err(wrong(H::NAME, "is NULL"));
    }
    let shell: &Shell<H::Body> = unsafe { &*handle.cast() };
    match shell.mark.tag.load(Ordering::Acquire) {
        tag if tag == H::TAG => Ok(shell),
        DEAD => Err(wrong(H::NAME, "was freed already")),
        _ => Err(wrong(H::NAME, "is something else")),
    }
}

#[cold]
fn wrong(name: &str, why: &str) -> Error {
    Error::new(Kind::InvalidArgument, format!("the {name} {why}"))
}

/// Ends a handle. NULL, a freed handle and one of another kind are left alone.
pub(crate) unsafe fn free<H: Handle>(handle: *mut H) {
    if handle.is_null() {
        return;
    }
    let at: *mut Shell<H::Body> = handle.cast();
    let shell = unsafe { &*at };
    // Of two threads that free one handle, one does.
    if shell.mark.tag.compare_exchange(H::TAG, DEAD, Ordering::AcqRel, Ordering::Acquire).is_ok() {
        unsafe { (*shell.body.get()).assume_init_drop() };
        unsafe { shelve(at.cast()) };
    }
}

/// How many shells are kept: some hundred kilobytes at most.
const KEPT: usize = 1024;

/// The shells of freed handles, in a ring: a new one takes the place of the oldest.
static SHELF: [AtomicPtr<Mark>; KEPT] = [const { AtomicPtr::new(null_mut()) }; KEPT];
static FREED: AtomicUsize = AtomicUsize::new(0);

unsafe fn shelve(shell: *mut Mark) {
    let place = FREED.fetch_add(1, Ordering::Relaxed) % KEPT;
    let oldest = SHELF[place].swap(shell, Ordering::AcqRel);
    if !oldest.is_null() {
        unsafe { ((*oldest).release)(oldest) };
    }
}
