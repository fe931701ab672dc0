//! The name of the type of a function's values, in a `static`, where a generic function's parameters have no meaning.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::ext::IdentExt as _;
use syn::{Expr, GenericArgument, GenericParam, Ident, Path, PathArguments, Type};

use super::{local, shape};
use crate::function::Function;

/// Generic types that set no bounds on their parameters, so that a stand-in can be one.
const CONTAINERS: &[&str] = &[
    "Arc", "BTreeMap", "BTreeSet", "Box", "HashMap", "HashSet", "Option", "Rc", "Result", "Vec",
    "VecDeque",
];

const PRIMITIVES: &[&str] = &[
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16",
    "u32", "u64", "u128", "usize",
];

/// `fn() -> Option<&'static str>`; `None` if the type has no name outside of the function, for all that can be seen.
///
/// ```text
/// {
///     use Unnamed as User;
///     { use self::*; || value_type::<Option<User>, _>(&shape) }
/// }
/// ```
///
/// Whether `T` is a type of the module or a parameter of the `impl` around the function cannot be seen here, and to name
/// a parameter would be an error. So names are looked up in the module first, by the glob, and found as the stand-in if they
/// are not there; a parameter further out is hidden by both.
pub(super) fn value_type(
    runtime: &TokenStream,
    function: &Function,
    returned: &Type,
    is_batch: bool,
) -> Option<TokenStream> {
    let here = Span::mixed_site();
    let mut names = Names {
        function,
        stand_ins: Vec::new(),
    };
    if !names.admit(returned, true) {
        return None;
    }
    let stand_ins = names.stand_ins.iter().map(|name| {
        if name == "String" {
            quote_spanned!(here=> ::std::string::String as #name)
        } else {
            quote_spanned!(here=> #runtime::Unnamed as #name)
        }
    });
    let shape = shape(runtime, returned);
    let name = local(if is_batch { "entry_type" } else { "value_type" });
    Some(quote_spanned! {here=> {
        #(
            #[allow(unused_imports)]
            use #stand_ins;
        )*
        {
            #[allow(unused_imports, clippy::wildcard_imports)]
            use self::*;
            || #runtime::#name::<#returned, _>(&#shape)
        }
    }})
}

/// The names without a path in a type.
struct Names<'f> {
    function: &'f Function,
    stand_ins: Vec<Ident>,
}

impl Names<'_> {
    /// Whether a type can be named, with stand-ins for some of its names. `is_free`: whether it may be any type where it stands.
    fn admit(&mut self, ty: &Type, is_free: bool) -> bool {
        match ty {
            Type::Path(path) if path.qself.is_none() => self.admit_path(&path.path, is_free),
            Type::Tuple(tuple) => tuple.elems.iter().all(|ty| self.admit(ty, is_free)),
            Type::Slice(slice) => self.admit(&slice.elem, is_free),
            Type::Array(array) => {
                matches!(array.len, Expr::Lit(_)) && self.admit(&array.elem, is_free)
            }
            Type::Paren(inner) => self.admit(&inner.elem, is_free),
            Type::Group(inner) => self.admit(&inner.elem, is_free),
            _ => false,
        }
    }

    fn admit_path(&mut self, path: &Path, is_free: bool) -> bool {
        let Some(last) = path.segments.last() else {
            return false;
        };
        let is_alone = path.segments.len() == 1 && path.leading_colon.is_none();
        // `T::Row` may be of a parameter, too.
        let is_of_type = !is_alone
            && path.segments.iter().rev().skip(1).any(|segment| {
                !segment.arguments.is_none()
                    || segment
                        .ident
                        .unraw()
                        .to_string()
                        .starts_with(char::is_uppercase)
            });
        if is_of_type {
            return false;
        }
        match &last.arguments {
            PathArguments::None if is_alone => self.admit_name(&last.ident, is_free),
            PathArguments::None => true,
            PathArguments::AngleBracketed(arguments) => {
                let is_free = is_free && CONTAINERS.iter().any(|name| last.ident == name);
                arguments.args.iter().all(|argument| match argument {
                    GenericArgument::Type(ty) => self.admit(ty, is_free),
                    _ => false,
                })
            }
            PathArguments::Parenthesized(_) => false,
        }
    }

    fn admit_name(&mut self, name: &Ident, is_free: bool) -> bool {
        let text = name.unraw().to_string();
        if PRIMITIVES.contains(&text.as_str()) {
            return true;
        }
        let is_parameter = self.function.sig.generics.params.iter().any(|parameter| {
            matches!(parameter, GenericParam::Type(parameter) if parameter.ident == *name)
        });
        if is_parameter || !is_free || text == "Self" || !text.starts_with(char::is_uppercase) {
            return false;
        }
        if !self.stand_ins.contains(name) {
            self.stand_ins.push(name.clone());
        }
        true
    }
}
