//! Which argument of a function with `batch` holds the keys, and what one of them is called.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::{FnArg, GenericArgument, Ident, Pat, PathArguments, Type};

use super::scope::Scope;
use crate::args;
use crate::args::{KeyArg, identifiers};
use crate::errors::{Errors, list};
use crate::function::Function;

/// The argument that holds what the keys are made of.
pub(crate) struct Batch {
    /// What one of them is called in the key.
    pub(crate) item: Ident,
    pub(crate) ids: Ident,
    pub(crate) is_mutable: bool,
    pub(crate) held: Held,
}

/// How the argument holds them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// `&[K]`
    Slice,
    /// `Vec<K>`
    Vec,
    /// `&Vec<K>`
    RefVec,
}

/// An argument that could be it.
struct Candidate<'f> {
    ids: &'f Ident,
    is_mutable: bool,
    held: Held,
}

impl Batch {
    pub(super) fn of(
        batch: &args::batch::Batch,
        key: Option<&KeyArg>,
        function: &Function,
        scope: &Scope,
        skip: &[Ident],
        errors: &mut Errors,
    ) -> Option<Self> {
        let candidates: Vec<Candidate<'_>> = candidates(function)
            .filter(|candidate| !skip.contains(candidate.ids))
            .collect();
        if let Some((item, ids)) = &batch.item_in {
            let found = candidates.iter().find(|found| found.ids == ids);
            if found.is_none() {
                errors.at(
                    ids.span(),
                    format!(
                        "`{ids}` is no argument that holds several: one of type `&[K]` or `Vec<K>`"
                    ),
                );
            }
            let found = found?;
            if item == ids || scope.is_name(&item.unraw().to_string()) {
                errors.at(
                    item.span(),
                    format!("`{item}` is an argument; give one of `{ids}` a name of its own, as in `batch(id in ids)`"),
                );
                return None;
            }
            return Some(found.batch(item.clone()));
        }
        let found = match candidates.as_slice() {
            [only] => only,
            [] => {
                errors.at(
                    batch.place,
                    "`batch` needs an argument that holds what the keys are made of: `ids: &[u64]`, or a `Vec`",
                );
                return None;
            }
            several => {
                let names = list(several.iter().map(|candidate| candidate.ids.to_string()));
                errors.at(
                    batch.place,
                    format!(
                        "which of {names} the keys are made of is not said: `batch(id in ids)`"
                    ),
                );
                return None;
            }
        };
        item_in(key?, found.ids, batch.place, scope, errors).map(|item| found.batch(item))
    }
}

impl Candidate<'_> {
    fn batch(&self, item: Ident) -> Batch {
        Batch {
            item,
            ids: self.ids.clone(),
            is_mutable: self.is_mutable,
            held: self.held,
        }
    }
}

/// What is returned must be a map, as far as it can be seen; reported, if it is none.
pub(super) fn mapped_return(function: &Function, errors: &mut Errors) {
    const NO_MAPS: &[&str] = &[
        "Arc", "Box", "BTreeSet", "HashSet", "String", "Vec", "bool", "f64", "i32", "i64", "u32",
        "u64", "usize",
    ];
    let returned = function.returned();
    let last = |ty: &Type| match ty {
        Type::Path(path) => path.path.segments.last().cloned(),
        _ => None,
    };
    let mut held = returned;
    if let Some(result) = last(&held).filter(|last| last.ident == "Result")
        && let PathArguments::AngleBracketed(arguments) = &result.arguments
        && let Some(GenericArgument::Type(ty)) = arguments.args.first()
    {
        held = ty.clone();
    }
    let name = last(&held).map(|last| last.ident.to_string());
    if name.as_deref() == Some("Option") {
        errors.under(
            held,
            "a function with `batch` returns a map, from which it leaves out what there is not: `HashMap<u64, User>` in the place \
             of `Option<…>`",
        );
    } else if name.is_some_and(|name| NO_MAPS.contains(&name.as_str()))
        || matches!(held, Type::Tuple(_) | Type::Array(_))
    {
        errors.under(
            held,
            "a function with `batch` returns a map, as in `Result<HashMap<u64, User>, DbError>`: from this it cannot be told which \
             value belongs to which key",
        );
    }
}

/// What one of `ids` is called, as far as the key shows it.
fn item_in(
    key: &KeyArg,
    ids: &Ident,
    place: Span,
    scope: &Scope,
    errors: &mut Errors,
) -> Option<Ident> {
    match key {
        KeyArg::Template(template) => {
            let mut unknown: Vec<&str> = Vec::new();
            let mut names_all = false;
            for placeholder in template.placeholders() {
                let root = placeholder.root.as_str();
                names_all |= ids.unraw() == root;
                let is_known = root == "self" || root == "return" || scope.is_name(root);
                if !is_known && !unknown.contains(&root) {
                    unknown.push(root);
                }
            }
            let at = template.literal.span();
            let one = unknown
                .first()
                .map_or_else(|| singular(ids), |one| (*one).to_owned());
            if names_all {
                let error =
                    format!("`<{ids}>` is all of them, and a key is of one: write `<{one}>`");
                errors.at(at, error);
                return None;
            }
            match unknown.as_slice() {
                [only] => {
                    let item = syn::parse_str::<Ident>(only);
                    let mut item = item.unwrap_or_else(|_| Ident::new_raw(only, at));
                    item.set_span(at);
                    Some(item)
                }
                [] => {
                    let error = format!(
                        "no placeholder stands for one of `{ids}`: write `<{one}>`, or any name that is no argument"
                    );
                    errors.at(at, error);
                    None
                }
                several => {
                    let error = format!(
                        "{} name no argument, and only one name can stand for one of `{ids}`: say which, as in `batch(id in {ids})`",
                        list(several.iter())
                    );
                    errors.at(at, error);
                    None
                }
            }
        }
        KeyArg::Typed(key) => {
            let one = singular(ids);
            let found = identifiers(key).into_iter().find(|name| *name == one);
            if found.is_none() {
                errors.at(
                    place,
                    format!(
                        "what one of `{ids}` is called in the key is not said: `batch(id in {ids})`"
                    ),
                );
            }
            found
        }
    }
}

/// `id` of `ids`.
fn singular(ids: &Ident) -> String {
    let name = ids.unraw().to_string();
    match name.strip_suffix('s') {
        Some(one) if !one.is_empty() => one.to_owned(),
        _ => String::from("id"),
    }
}

fn candidates(function: &Function) -> impl Iterator<Item = Candidate<'_>> {
    function.sig.inputs.iter().filter_map(|input| {
        let FnArg::Typed(argument) = input else {
            return None;
        };
        let Pat::Ident(pattern) = &*argument.pat else {
            return None;
        };
        Some(Candidate {
            ids: &pattern.ident,
            is_mutable: pattern.mutability.is_some(),
            held: held(&argument.ty)?,
        })
    })
}

fn held(ty: &Type) -> Option<Held> {
    match ty {
        Type::Reference(reference) if reference.mutability.is_none() => match &*reference.elem {
            Type::Slice(_) => Some(Held::Slice),
            elem if is_vec(elem) => Some(Held::RefVec),
            _ => None,
        },
        ty => is_vec(ty).then_some(Held::Vec),
    }
}

fn is_vec(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|last| {
        last.ident == "Vec" && matches!(last.arguments, PathArguments::AngleBracketed(_))
    })
}

/// Whether a type certainly holds several items which `iter()` gives one by one.
pub(super) fn holds_several(ty: &Type) -> bool {
    const COLLECTIONS: &[&str] = &["Vec", "VecDeque", "HashSet", "BTreeSet"];
    const BOXES: &[&str] = &["Box", "Arc", "Rc"];
    match ty {
        Type::Slice(_) | Type::Array(_) => true,
        Type::Reference(reference) => holds_several(&reference.elem),
        Type::Paren(inner) => holds_several(&inner.elem),
        Type::Group(inner) => holds_several(&inner.elem),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            let PathArguments::AngleBracketed(arguments) = &last.arguments else {
                return false;
            };
            let is_boxed = || {
                let boxed = arguments.args.first();
                matches!(boxed, Some(GenericArgument::Type(ty)) if holds_several(ty))
            };
            COLLECTIONS.iter().any(|name| last.ident == name)
                || (BOXES.iter().any(|name| last.ident == name) && is_boxed())
        }),
        _ => false,
    }
}
