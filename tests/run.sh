#!/usr/bin/env bash
# Everything that is checked, on a fresh machine with nothing but Rust: installs what is missing and says so, then
# formatting, lints, documentation, tests and the two examples that need no server of yours.
# The tests start the servers they need on free ports, and stop them again.
set -euo pipefail
cd "$(dirname "$0")/.."
started=$SECONDS

step() { printf '\n== %s (%d s)\n' "$*" $((SECONDS - started)); }

# Installs a package by the name that it has with apt, dnf, apk, pacman and brew.
install() {
    echo "$1 is missing: installing it with this machine's package manager"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if [ "$(uname)" != Darwin ] && command -v sudo >/dev/null; then as_root=(sudo); fi
    fi
    # Debian starts a server after the installation; the tests do not want one, so it is told not to.
    if command -v apt-get >/dev/null; then
        "${as_root[@]}" apt-get update -qq
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq "$1"
    elif command -v dnf >/dev/null; then
        "${as_root[@]}" dnf install -y "$2"
    elif command -v apk >/dev/null; then
        "${as_root[@]}" apk add "$3"
    elif command -v pacman >/dev/null; then
        "${as_root[@]}" pacman -Sy --noconfirm "$4"
    elif command -v brew >/dev/null; then
        brew install "$5"
    fi
}

# What runs a benchmark under valgrind: of the same version as the library in Cargo.lock.
install_gungraun() {
    local version
    version=$(grep -A1 '^name = "gungraun"$' Cargo.lock | sed -n 's/^version = "\(.*\)"$/\1/p')
    export PATH="$PWD/target/tools/bin:$PATH"
    [ "$(gungraun-runner --version 2>/dev/null)" = "gungraun-runner $version" ] ||
        cargo install gungraun-runner --version "$version" --locked --quiet --root target/tools
}

step "tools"
command -v cargo >/dev/null || { echo "cargo is missing: install Rust from rust-lang.org first" >&2; exit 1; }
command -v redis-server >/dev/null || install redis-server redis redis redis redis ||
    install redis-server valkey-compat-redis redis redis redis
command -v valgrind >/dev/null || install valgrind valgrind valgrind valgrind valgrind ||
    echo "valgrind could not be installed"
command -v redis-server >/dev/null || {
    echo "redis-server could not be installed: install Redis 6 or later by hand and run this again" >&2
    exit 1
}
# For the test of the dashboard, which says so where there is none.
if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
    install chromium chromium chromium chromium chromium || echo "chromium could not be installed"
    install chromium-driver chromedriver chromium-chromedriver chromium chromedriver || echo "chromedriver could not be installed"
fi
# Where there is one, the test of the dashboard is not passed over.
if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then export REQUIRE_BROWSER=1; fi
# For the test of what Prometheus makes of the metrics, which says so where there is none.
if ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; then
    install prometheus golang-github-prometheus prometheus prometheus prometheus || echo "prometheus could not be installed"
fi
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

step "instructions of the hot paths"
if command -v valgrind >/dev/null; then
    install_gungraun
    cargo bench -p cache-tests --bench instructions --locked
else
    echo "not counted: this machine has no valgrind"
fi

step "the load of artillery on the example service"
# Times are printed, and nothing fails for them: the machine may be busy.
artillery=target/tools/artillery/node_modules/.bin/artillery
artillery_version=2.0.34
if [ "$("$artillery" --version 2>/dev/null | grep -o "$artillery_version" | head -1)" != "$artillery_version" ] && command -v npm >/dev/null; then
    npm install --prefix target/tools/artillery --no-audit --no-fund --no-save --ignore-scripts --loglevel=error "artillery@$artillery_version" ||
        echo "artillery could not be installed"
fi
if [ -x "$artillery" ]; then
    timeout 600 cargo run --quiet --locked --example load-test -- --artillery "$artillery" --users 500 --warm-up 5 --seconds 5 --no-time-check
else
    printf '\n*** NOT TESTED: this machine has no npm, or could not install artillery ***\n'
fi

step "the example of the README"
cargo run --example quickstart --locked
CACHE_ENABLED=false cargo run --quiet --example quickstart --locked
cargo run --quiet --example doctor --locked

step "done"
