//! A verb as a Python method.

use std::fmt::Write;
use std::ops::ControlFlow;

use openwa_store::face::{self, Call, Progress, Record as Values, Type, Value, Verb, VerbKind};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::aio;
use crate::convert::{self, Place};
use crate::errors::{OrRaise, raised};
use crate::handle::Handle;
use crate::once::Once;
use crate::signature::{Default, Kind, Signature};
use crate::surface::{self, Param};

/// Whether methods block or are coroutines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    Blocking,
    Aio,
}

impl Flavour {
    /// The module in which people find it.
    pub fn module(self) -> &'static str {
        match self {
            Flavour::Blocking => "openwa_store",
            Flavour::Aio => "openwa_store.aio",
        }
    }
}

/// What a method does with its verb.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Call,
    /// Walks all pages.
    Iterate,
}

// One method of a store or of a group of verbs, or one rule.
#[pyclass(frozen, module = "openwa_store")]
pub struct Method {
    verb: &'static Verb,
    flavour: Flavour,
    does: Does,
    name: String,
    qualname: Py<PyString>,
    is_function: bool,
    params: Vec<Param>,
    /// Their names, as Python holds those that are written in a program.
    names: Vec<Py<PyString>>,
    signature: Once<Py<PyAny>>,
}

impl Method {
    /// A method of the class `class`; `None`: a function.
    pub fn new(py: Python<'_>, verb: &'static Verb, flavour: Flavour, class: Option<&str>) -> Self {
        Self::make(py, verb, flavour, class, Does::Call, surface::safe(verb.name), surface::params(verb))
    }

    /// The method beside it that walks all pages of a list, if the verb answers pages.
    pub fn iterator(
        py: Python<'_>,
        verb: &'static Verb,
        flavour: Flavour,
        class: Option<&str>,
    ) -> Option<Self> {
        let name = surface::iterator_name(verb)?;
        Some(Self::make(py, verb, flavour, class, Does::Iterate, name, surface::iterator_params(verb)))
    }

    fn make(
        py: Python<'_>,
        verb: &'static Verb,
        flavour: Flavour,
        class: Option<&str>,
        does: Does,
        name: String,
        params: Vec<Param>,
    ) -> Self {
        let names = params.iter().map(|p| PyString::intern(py, &p.name).unbind()).collect();
        let qualname = class.map_or_else(|| name.clone(), |class| format!("{class}.{name}"));
        let qualname = PyString::new(py, &qualname).unbind();
        let is_function = class.is_none();
        Method { verb, flavour, does, name, qualname, is_function, params, names, signature: Once::new() }
    }

    /// The name under which it is an attribute.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The arguments of the verb from those of the call.
    fn bind(&self, args: &[Bound<'_, PyAny>], kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Vec<Value>> {
        let name = &self.name;
        let mut values = Vec::with_capacity(self.verb.params.len());
        values.extend(self.verb.params.iter().map(|p| match p.ty {
            Type::Record(shape) => Value::Record(Values::empty(shape)),
            _ => Value::Absent,
        }));
        let positional = self.params.iter().take_while(|p| !p.keyword_only).count();
        if args.len() > positional {
            let text =
                format!("{name}() takes {positional} positional arguments but {} were given", args.len());
            return Err(PyTypeError::new_err(text));
        }
        let mut is_given = vec![false; self.params.len()];
        for (i, value) in args.iter().enumerate() {
            is_given[i] = true;
            self.put(&mut values, i, value)?;
        }
        for (key, value) in kwargs.into_iter().flatten() {
            // Comparing places in memory finds nearly all.
            let i = self.names.iter().position(|name| name.is(&key));
            let key = key.cast::<PyString>()?.to_str()?;
            let i = i.or_else(|| self.params.iter().position(|p| p.name == key));
            let i = i.ok_or_else(|| self.unexpected(key))?;
            if std::mem::replace(&mut is_given[i], true) {
                return Err(PyTypeError::new_err(format!(
                    "{name}() got multiple values for argument '{key}'"
                )));
            }
            self.put(&mut values, i, &value)?;
        }
        if let Some((missing, _)) =
            self.params.iter().zip(&is_given).find(|(p, given)| p.required && !**given)
        {
            return Err(PyTypeError::new_err(format!(
                "{name}() missing required argument: '{}'",
                missing.name
            )));
        }
        Ok(values)
    }

    fn put(&self, values: &mut [Value], index: usize, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let param = &self.params[index];
        let place = Place { of: self.verb.path, name: param.field };
        let value = if param.is_path() { &convert::path(value)? } else { value };
        let value_in = convert::optional(value, param.ty, param.nullable, param.required, place)?;
        match (param.at, &mut values[param.at.0]) {
            ((_, Some(field)), Value::Record(record)) => {
                record.set(field, value_in).map_err(|e| raised(value.py(), &e))?;
            }
            (_, place) => *place = value_in,
        }
        Ok(())
    }

    fn unexpected(&self, key: &str) -> PyErr {
        let mut text = format!("{}() got an unexpected keyword argument '{key}'", self.name);
        let distant = |p: &&Param| distance(&p.name, key) > 2;
        if let Some(near) = self.params.iter().find(|p| !distant(p)) {
            let _ = write!(text, "; did you mean '{}'?", near.name);
        } else {
            let names: Vec<&str> = self.params.iter().map(|p| p.name.as_str()).collect();
            let _ = write!(text, "; it takes: {}", names.join(", "));
        }
        PyTypeError::new_err(text)
    }

    fn run<'py>(
        &self,
        py: Python<'py>,
        store: Option<&Bound<'py, Handle>>,
        args: &[Bound<'py, PyAny>],
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(store) = store else {
            let answer = self.verb.call_pure(self.bind(args, kwargs)?).or_raise(py)?;
            return convert::object(py, answer, &self.verb.result);
        };
        if self.does == Does::Iterate {
            return self.iterate(store, args, kwargs);
        }
        let (progress, kwargs) = match (self.verb.kind(), kwargs) {
            (VerbKind::Long, Some(kwargs)) => {
                let kwargs = kwargs.copy()?;
                let progress = kwargs.get_item("progress")?;
                if progress.is_some() {
                    kwargs.del_item("progress")?;
                }
                (progress.filter(|p| !p.is_none()).map(Bound::unbind), Some(kwargs))
            }
            (_, kwargs) => (None, kwargs.cloned()),
        };
        let call = self.verb.call(&store.get().0, self.bind(args, kwargs.as_ref())?).or_raise(py)?;
        if self.flavour == Flavour::Aio {
            return aio::coroutine(self.qualname.bind(py), call, &self.verb.result, progress);
        }
        let answer = match call {
            Call::Long(run) => {
                let mut failed = None;
                let done = py.detach(|| run(&mut |at| tell(progress.as_ref(), at, &mut failed)));
                if let Some(e) = failed {
                    return Err(e);
                }
                done
            }
            call => py.detach(|| call.run()),
        };
        convert::object(py, answer.or_raise(py)?, &self.verb.result)
    }

    /// Hands over to a generator in Python, which asks for page after page.
    fn iterate<'py>(
        &self,
        store: &Bound<'py, Handle>,
        args: &[Bound<'py, PyAny>],
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = store.py();
        // A wrong argument is told here, not when the first row is asked for.
        self.bind(args, kwargs)?;
        let walk = match self.flavour {
            Flavour::Blocking => py.import("openwa_store._walk")?.getattr("walk")?,
            Flavour::Aio => py.import("openwa_store._walk")?.getattr("walk_aio")?,
        };
        let list = store.getattr(surface::safe(self.verb.name))?;
        walk.call1((list, PyTuple::new(py, args)?, kwargs))
    }
}

/// Tells a callback how far a long call is. It stops the call by returning `False` or by raising; so does Ctrl-C.
pub fn tell(callback: Option<&Py<PyAny>>, at: Progress, failed: &mut Option<PyErr>) -> ControlFlow<()> {
    let told = Python::try_attach(|py| {
        py.check_signals()?;
        let Some(callback) = callback else { return Ok(true) };
        let answer = callback.bind(py).call1((at.table, at.rows, at.total))?;
        Ok(answer.is_none() || answer.is_truthy()?)
    });
    match told {
        Some(Ok(true)) => ControlFlow::Continue(()),
        Some(Ok(false)) | None => ControlFlow::Break(()),
        Some(Err(e)) => {
            *failed = Some(e);
            ControlFlow::Break(())
        }
    }
}

/// How many letters differ.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[pymethods]
impl Method {
    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        instance: &Bound<'py, PyAny>,
        _class: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match instance.cast::<Handle>() {
            Ok(handle) => {
                let bound = BoundMethod { method: slf.clone().unbind(), handle: handle.clone().unbind() };
                Ok(Bound::new(slf.py(), bound)?.into_any())
            }
            Err(_) => Ok(slf.clone().into_any()),
        }
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let args: Vec<_> = args.iter().collect();
        if self.verb.kind() == VerbKind::Pure {
            return self.run(py, None, &args, kwargs);
        }
        let (handle, args) = args
            .split_first()
            .ok_or_else(|| PyTypeError::new_err(format!("{}() needs its store", self.name)))?;
        self.run(py, Some(handle.cast::<Handle>()?), args, kwargs)
    }

    #[getter]
    fn __name__(&self) -> &str {
        &self.name
    }

    #[getter]
    fn __qualname__(&self, py: Python<'_>) -> Py<PyString> {
        self.qualname.clone_ref(py)
    }

    #[getter]
    fn __doc__(&self) -> String {
        match self.does {
            Does::Call => face::prose(self.verb.doc),
            Does::Iterate => surface::iterator_doc(self.verb),
        }
    }

    #[getter]
    fn __signature__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let make = || {
            let mut signature = Signature::new(py)?;
            if !self.is_function {
                signature.add("self", Kind::Own, Default::Required)?;
            }
            for p in &self.params {
                let kind = if p.keyword_only { Kind::ByName } else { Kind::Any };
                let default = match (p.required, p.empties) {
                    (true, _) => Default::Required,
                    (false, true) => Default::Left,
                    (false, false) => Default::None,
                };
                signature.add(&p.name, kind, default)?;
            }
            if self.verb.kind() == VerbKind::Long {
                signature.add("progress", Kind::ByName, Default::None)?;
            }
            signature.done()
        };
        Ok(self.signature.get_or_try_init(py, make)?.clone_ref(py))
    }

    fn __repr__(&self) -> String {
        format!("<method {} of openwa_store>", self.qualname)
    }
}

// A method of a certain store.
#[pyclass(frozen, module = "openwa_store")]
struct BoundMethod {
    method: Py<Method>,
    handle: Py<Handle>,
}

#[pymethods]
impl BoundMethod {
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let args: Vec<_> = args.iter().collect();
        self.method.get().run(py, Some(self.handle.bind(py)), &args, kwargs)
    }

    #[getter]
    fn __self__(&self, py: Python<'_>) -> Py<Handle> {
        self.handle.clone_ref(py)
    }

    #[getter]
    fn __func__(&self, py: Python<'_>) -> Py<Method> {
        self.method.clone_ref(py)
    }

    #[getter]
    fn __name__(&self) -> &str {
        self.method.get().name()
    }

    #[getter]
    fn __qualname__(&self, py: Python<'_>) -> Py<PyString> {
        self.method.get().__qualname__(py)
    }

    #[getter]
    fn __doc__(&self) -> String {
        self.method.get().__doc__()
    }

    #[getter]
    fn __signature__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let whole = self.method.get().__signature__(py)?.into_bound(py);
        let parameters = whole.getattr("parameters")?.call_method0("values")?;
        let behind_self: Vec<Bound<'py, PyAny>> = parameters.try_iter()?.skip(1).collect::<PyResult<_>>()?;
        let options = PyDict::new(py);
        options.set_item("parameters", behind_self)?;
        whole.call_method("replace", (), Some(&options))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<bound method {} of {}>", self.method.get().qualname, self.handle.bind(py).repr()?))
    }
}
