#!/usr/bin/env bash
# Everything that is checked, on a fresh machine with nothing but Rust: installs what is missing and says so, then
# formatting, lints, documentation, tests and the two examples that need no server of yours.
# The tests start the servers they need on free ports, and stop them again.
set -euo pipefail
cd "$(dirname "$0")/.."
started=$SECONDS

step() { printf '\n== %s (%d s)\n' "$*" $((SECONDS - started)); }

install_redis() {
    echo "redis-server is missing: installing it with this machine's package manager"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if [ "$(uname)" != Darwin ] && command -v sudo >/dev/null; then as_root=(sudo); fi
    fi
    # Debian starts a server after the installation; the tests do not want one, so it is told not to.
    if command -v apt-get >/dev/null; then
        "${as_root[@]}" apt-get update -qq
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq redis-server
    elif command -v dnf >/dev/null; then
        "${as_root[@]}" dnf install -y redis || "${as_root[@]}" dnf install -y valkey-compat-redis
    elif command -v apk >/dev/null; then
        "${as_root[@]}" apk add redis
    elif command -v pacman >/dev/null; then
        "${as_root[@]}" pacman -Sy --noconfirm redis
    elif command -v brew >/dev/null; then
        brew install redis
    fi
}

step "tools"
command -v cargo >/dev/null || { echo "cargo is missing: install Rust from rust-lang.org first" >&2; exit 1; }
command -v redis-server >/dev/null || install_redis
command -v redis-server >/dev/null || {
    echo "redis-server could not be installed: install Redis 6 or later by hand and run this again" >&2
    exit 1
}
cargo --version
redis-server --version | cut -d' ' -f1-3
for component in rustfmt clippy; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component"
done

step "formatting"
cargo fmt --all --check

# Without --all-features: cache-tests turns on every feature of cache-runtime (tests/workspace.rs checks that), and its own
# feature `peers` would build all the crates that the benchmark compares us with.
step "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo clippy -p cache-runtime --all-targets --no-default-features --locked -- -D warnings

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

step "tests without the Redis store"
cargo test -p cache-runtime --no-default-features --locked

step "tests"
cargo test --workspace --locked

step "the example of the README"
cargo run --example quickstart --locked
CACHE_ENABLED=false cargo run --quiet --example quickstart --locked

step "done"
