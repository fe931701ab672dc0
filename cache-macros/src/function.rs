//! The annotated function: its attributes, its signature, and its body as raw tokens.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::discouraged::Speculative as _;
use syn::parse::{Parse, ParseStream, Parser};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, Expr, ExprAsync, ExprCall, FnArg, GenericArgument, Ident, Local, Pat,
    PatIdent, PathArguments, ReturnType, Signature, Stmt, Token, Type, TypeParamBound, Visibility,
    parse_quote,
};

/// A function with a body, as the attribute found it.
pub(crate) struct Function {
    outer: Vec<Attribute>,
    inner: Vec<Attribute>,
    vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Result<Body, Refusal>,
}

/// The two forms of body that can be wrapped.
pub(crate) enum Body {
    /// `async fn`, with its body.
    Async(Group),
    /// `fn … -> Pin<Box<dyn Future<Output = R>>> { Box::pin(async move { … }) }`, which is also what
    /// `#[async_trait]` makes of an `async fn`.
    Boxed(Box<Boxed>),
}

/// Why a body cannot be wrapped.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    /// The function is not async.
    NotAsync,
    /// It returns a boxed future that is made in some way that cannot be seen through.
    OpaqueBox,
}

/// The body of a function that returns a boxed future.
#[derive(Clone)]
pub(crate) struct Boxed {
    value: Type,
    /// `Box::pin`
    constructor: Expr,
    /// `async move`
    keywords: TokenStream,
    brace: Span,
    /// The leading statements that give the arguments the names that the rest, and the key, know them by.
    renames: Vec<Stmt>,
    rest: Group,
    bindings: Vec<Ident>,
    hidden: Vec<Ident>,
    receiver: Option<Ident>,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let outer = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let ahead = input.fork();
        let Ok(sig) = ahead.parse::<Signature>() else {
            return Err(if is_function(input) {
                input
                    .parse::<Signature>()
                    .err()
                    .unwrap_or_else(|| input.error("expected a function"))
            } else {
                input.error("this attribute goes on a function with a body: an `async fn`")
            });
        };
        input.advance_to(&ahead);
        if input.peek(Token![;]) {
            return Err(syn::Error::new(
                sig.ident.span(),
                format!(
                    "`{}` has no body here; annotate the method of the `impl`, or give it a body",
                    sig.ident
                ),
            ));
        }
        let (inner, body) = match input.parse()? {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                split_body.parse2(group.stream()).map(|(inner, rest)| {
                    let mut body = Group::new(Delimiter::Brace, rest);
                    body.set_span(group.span());
                    (inner, body)
                })?
            }
            other => {
                return Err(syn::Error::new(
                    other.span(),
                    "expected the body of a function",
                ));
            }
        };
        let body = Body::of(&sig, body);
        Ok(Self {
            outer,
            inner,
            vis,
            sig,
            body,
        })
    }
}

/// Whether what follows was meant to be a function, so that its own syntax error is the better message.
fn is_function(input: ParseStream<'_>) -> bool {
    input.peek(Token![fn])
        || input.peek(Token![async])
        || input.peek(Token![unsafe]) && input.peek2(Token![fn])
        || input.peek(Token![const]) && (input.peek2(Token![fn]) || input.peek2(Token![async]))
}

fn split_body(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, TokenStream)> {
    Ok((input.call(Attribute::parse_inner)?, input.parse()?))
}

impl Boxed {
    /// What the function does, without the renames.
    pub(crate) fn stream(&self) -> TokenStream {
        self.rest.stream()
    }
}

impl Body {
    /// The same with another block in the place of the one that holds what the function does.
    pub(crate) fn mapped(&self, map: impl FnOnce(&Group) -> Group) -> Self {
        match self {
            Self::Async(body) => Self::Async(map(body)),
            Self::Boxed(boxed) => {
                let mut mapped = Boxed::clone(boxed);
                mapped.rest = map(&boxed.rest);
                Self::Boxed(Box::new(mapped))
            }
        }
    }

    fn of(sig: &Signature, body: Group) -> Result<Self, Refusal> {
        if sig.asyncness.is_some() {
            return Ok(Self::Async(body));
        }
        let value = boxed_output(&sig.output).ok_or(Refusal::NotAsync)?;
        let boxed = Boxed::parse(sig, value, &body).ok_or(Refusal::OpaqueBox)?;
        Ok(Self::Boxed(Box::new(boxed)))
    }
}

/// `R` of `Pin<Box<dyn Future<Output = R>>>` or `BoxFuture<R>`.
fn boxed_output(output: &ReturnType) -> Option<&Type> {
    let ReturnType::Type(_, ty) = output else {
        return None;
    };
    let (name, mut types) = last_segment(ty)?;
    let first = types.next();
    if name == "BoxFuture" || name == "LocalBoxFuture" {
        return first;
    }
    let inner = first.filter(|_| name == "Pin")?;
    let (name, mut types) = last_segment(inner)?;
    let Type::TraitObject(object) = types.next().filter(|_| name == "Box")? else {
        return None;
    };
    object.bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let future = bound
            .path
            .segments
            .last()
            .filter(|segment| segment.ident == "Future")?;
        let PathArguments::AngleBracketed(arguments) = &future.arguments else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(assoc) if assoc.ident == "Output" => Some(&assoc.ty),
            _ => None,
        })
    })
}

fn last_segment(ty: &Type) -> Option<(&Ident, impl Iterator<Item = &Type>)> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    Some((&segment.ident, types))
}

impl Boxed {
    fn parse(sig: &Signature, value: &Type, body: &Group) -> Option<Self> {
        let statements = Block::parse_within.parse2(body.stream()).ok()?;
        let [Stmt::Expr(Expr::Call(ExprCall { func, args, .. }), None)] = statements.as_slice()
        else {
            return None;
        };
        let is_pin = matches!(&**func, Expr::Path(path) if path.path.segments.last().is_some_and(|s| s.ident == "pin"));
        let Some(Expr::Async(ExprAsync {
            async_token,
            capture,
            block,
            ..
        })) = args.first().filter(|_| is_pin && args.len() == 1)
        else {
            return None;
        };
        let mut names = Vec::new();
        for argument in &sig.inputs {
            if let FnArg::Typed(argument) = argument {
                names.extend(bindings(&argument.pat));
            }
        }
        let is_rename =
            |statement: &&Stmt| is_return_edge(statement) || is_rename(statement, &names);
        let count = block.stmts.iter().take_while(is_rename).count();
        let (renames, rest) = block.stmts.split_at(count);

        let mut receiver = None;
        let mut new_names = Vec::new();
        let mut hidden = Vec::new();
        for rename in renames {
            let Stmt::Local(local) = rename else { continue };
            match local
                .init
                .as_ref()
                .and_then(|init| renamed_name(&init.expr))
            {
                Some(name) if name == "self" => receiver = bindings(&local.pat).into_iter().next(),
                Some(name) => {
                    new_names.extend(bindings(&local.pat));
                    hidden.push(name);
                }
                None => {}
            }
        }
        let mut rest_group = Group::new(
            Delimiter::Brace,
            rest.iter().map(ToTokens::to_token_stream).collect(),
        );
        rest_group.set_span(block.brace_token.span.join());
        Some(Self {
            value: value.clone(),
            constructor: (**func).clone(),
            keywords: quote!(#async_token #capture),
            brace: block.brace_token.span.join(),
            renames: renames.to_vec(),
            rest: rest_group,
            bindings: new_names,
            hidden,
            receiver,
        })
    }
}

/// `if let Some(__ret) = None::<R> { return __ret; }`: the first statement of what `#[async_trait]` makes.
fn is_return_edge(statement: &Stmt) -> bool {
    let Stmt::Expr(Expr::If(branch), _) = statement else {
        return false;
    };
    let Expr::Let(scrutinee) = &*branch.cond else {
        return false;
    };
    matches!(&*scrutinee.expr, Expr::Path(none) if none.path.segments.last().is_some_and(|s| s.ident == "None"))
}

/// `let id = id;`, `let __self = self;` or `let (a, b) = __arg1;`: what can be done before the key is made without
/// a name changing its meaning.
fn is_rename(statement: &Stmt, names: &[Ident]) -> bool {
    let Stmt::Local(Local {
        pat,
        init: Some(init),
        ..
    }) = statement
    else {
        return false;
    };
    let Some(from) = renamed_name(&init.expr).filter(|_| init.diverge.is_none()) else {
        return false;
    };
    if from == "self" {
        return matches!(pat, Pat::Ident(pat) if pat.ident == "__self");
    }
    names.contains(&from)
        && (from.to_string().starts_with("__arg")
            || matches!(untyped(pat), Pat::Ident(pat) if pat.ident == from))
}

/// `id` of `id`, and of the block `{ let id = id; id }` that `#[async_trait]` writes for patterns.
fn renamed_name(expr: &Expr) -> Option<Ident> {
    match expr {
        Expr::Path(path) => path.path.get_ident().cloned(),
        Expr::Block(block) => match block.block.stmts.as_slice() {
            [Stmt::Local(local), Stmt::Expr(Expr::Path(last), None)] => {
                let init = local.init.as_ref().filter(|init| init.diverge.is_none())?;
                renamed_name(&init.expr).filter(|name| last.path.is_ident(name))
            }
            _ => None,
        },
        _ => None,
    }
}

fn untyped(pat: &Pat) -> &Pat {
    match pat {
        Pat::Type(typed) => &typed.pat,
        _ => pat,
    }
}

/// The names that a pattern binds.
fn bindings(pat: &Pat) -> Vec<Ident> {
    struct Names(Vec<Ident>);
    impl<'ast> Visit<'ast> for Names {
        fn visit_pat_ident(&mut self, pat: &'ast PatIdent) {
            // A bare capitalised name is a constant or a unit struct, as `None` is.
            let is_constant = pat.by_ref.is_none()
                && pat.mutability.is_none()
                && pat.subpat.is_none()
                && pat.ident.to_string().starts_with(char::is_uppercase);
            if !is_constant {
                self.0.push(pat.ident.clone());
            }
            visit::visit_pat_ident(self, pat);
        }
    }
    let mut names = Names(Vec::new());
    names.visit_pat(pat);
    names.0
}

impl Function {
    /// The names that the caller's values have, as the user wrote them.
    pub(crate) fn arguments(&self) -> Vec<Ident> {
        let mut names: Vec<Ident> = self
            .sig
            .inputs
            .iter()
            .filter_map(|argument| match argument {
                FnArg::Typed(argument) => Some(bindings(&argument.pat)),
                FnArg::Receiver(_) => None,
            })
            .flatten()
            .collect();
        if let Ok(Body::Boxed(boxed)) = &self.body {
            names.retain(|name| !boxed.hidden.contains(name));
            names.extend(boxed.bindings.iter().cloned());
            // As `#[async_trait]` names `_`.
            names.retain(|name| !name.to_string().starts_with("__arg"));
        }
        names
    }

    /// Whether an argument of this name was a pattern, which `#[async_trait]` has put into the body.
    pub(crate) fn is_taken_apart(&self, name: &Ident) -> bool {
        name.to_string().starts_with("__arg")
            && matches!(&self.body, Ok(Body::Boxed(boxed)) if boxed.hidden.contains(name))
    }

    /// What `self` is called where the key is made.
    pub(crate) fn receiver(&self) -> Option<Ident> {
        let receiver = self.sig.receiver()?;
        match &self.body {
            Ok(Body::Boxed(boxed)) if boxed.receiver.is_some() => boxed.receiver.clone(),
            _ => Some(Ident::new("self", receiver.self_token.span)),
        }
    }

    /// What a call evaluates to.
    pub(crate) fn returned(&self) -> Type {
        match (&self.body, &self.sig.output) {
            (Ok(Body::Boxed(boxed)), _) => boxed.value.clone(),
            (_, ReturnType::Type(_, ty)) => (**ty).clone(),
            (_, ReturnType::Default) => parse_quote!(()),
        }
    }

    /// The function with `before` in front of its body, and its body, as one future, handed to `run`.
    ///
    /// ```text
    /// Input:   async fn f(..) -> R { body }
    /// Output:  async fn f(..) -> R { before  run(async move { body }) }
    ///
    /// Input:   fn f(..) -> Pin<Box<..>> { Box::pin(async move { renames  body }) }
    /// Output:  fn f(..) -> Pin<Box<..>> { Box::pin(async move { renames  before  run(async move { body }) }) }
    /// ```
    pub(crate) fn wrap(
        &self,
        body: &Body,
        before: &TokenStream,
        run: impl FnOnce(TokenStream) -> TokenStream,
    ) -> TokenStream {
        let here = Span::mixed_site();
        self.wrap_block(body, before, |body| {
            run(quote_spanned!(here=> async move { #body }))
        })
    }

    /// The same with what stands in that future.
    pub(crate) fn wrap_block(
        &self,
        body: &Body,
        before: &TokenStream,
        run: impl FnOnce(TokenStream) -> TokenStream,
    ) -> TokenStream {
        let (wrapped, span) = match body {
            Body::Async(body) => {
                let run = run(self.block(body));
                (quote!(#before #run), body.span())
            }
            Body::Boxed(boxed) => {
                let Boxed {
                    constructor,
                    keywords,
                    renames,
                    brace,
                    rest,
                    ..
                } = &**boxed;
                let run = run(self.block(rest));
                let wrapped = braced(quote!(#(#renames)* #before #run), *brace);
                (quote!(#constructor(#keywords #wrapped)), *brace)
            }
        };
        let Self {
            outer,
            inner,
            vis,
            sig,
            ..
        } = self;
        let body = braced(quote!(#(#inner)* #wrapped), span);
        quote!(#(#outer)* #vis #sig #body)
    }

    /// The body for an `async` block, which is of type `R` from its first line on, so that whatever in the body has
    /// another type is itself the place of the error.
    fn block(&self, body: &Group) -> TokenStream {
        let returned = self.returned();
        let edge = (!has_impl_trait(&returned)).then(|| {
            quote_spanned! {Span::mixed_site()=>
                if let ::core::option::Option::Some(returned) = ::core::option::Option::None::<#returned> {
                    #[allow(unreachable_code)]
                    return returned;
                }
            }
        });
        // The body stays a block of its own, so that its items cannot shadow what `edge` names, and its braces count
        // as written by us, so that no lint finds them superfluous.
        let body = braced(body.stream(), body.span().resolved_at(Span::mixed_site()));
        quote!(#edge #body)
    }
}

fn braced(tokens: TokenStream, span: Span) -> TokenStream {
    let mut group = Group::new(Delimiter::Brace, tokens);
    group.set_span(span);
    TokenTree::Group(group).into()
}

/// Whether a type contains `impl Trait`, and so cannot be named.
pub(crate) fn has_impl_trait(ty: &Type) -> bool {
    struct Found(bool);
    impl<'ast> Visit<'ast> for Found {
        fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut found = Found(false);
    found.visit_type(ty);
    found.0
}
