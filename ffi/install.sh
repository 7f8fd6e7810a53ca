#!/usr/bin/env bash
# Builds libopenwa and installs header, shared and static library and openwa.pc:
#
#   PREFIX    where to (default /usr/local); LIBDIR: where libraries go (default PREFIX/lib)
#   DESTDIR   put in front of every path, for packagers
#   PROFILE   Cargo's profile (default release)
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=${PREFIX:-/usr/local}
libdir=${LIBDIR:-$prefix/lib}
profile=${PROFILE:-release}
cargo=${CARGO:-cargo}
folder=${CARGO_TARGET_DIR:-target}/$([ "$profile" = dev ] && echo debug || echo "$profile")

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
abi=$(sed -n 's/.*OPENWA_ABI_VERSION: i32 = \([0-9]*\);/\1/p' ffi/src/version.rs)

# The compiler tells what a static link needs beside the library itself.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$cargo" rustc -p openwa-ffi --lib --profile "$profile" --color never -- --print native-static-libs 2>&1 | tee "$log" >&2
libs=$(sed -n 's/^note: native-static-libs: //p' "$log" | tail -1)
if [ -z "$libs" ]; then
  echo "the compiler did not say what a static link needs" >&2
  exit 1
fi

to=${DESTDIR:-}
mkdir -p "$to$prefix/include" "$to$libdir/pkgconfig"
install -m 644 include/openwa.h "$to$prefix/include/openwa.h"
install -m 644 "$folder/libopenwa.a" "$to$libdir/libopenwa.a"
case $(uname -s) in
  Darwin)
    install -m 755 "$folder/libopenwa.dylib" "$to$libdir/libopenwa.$abi.dylib"
    ln -sf "libopenwa.$abi.dylib" "$to$libdir/libopenwa.dylib"
    ;;
  *)
    install -m 755 "$folder/libopenwa.so" "$to$libdir/libopenwa.so.$abi.$version"
    ln -sf "libopenwa.so.$abi.$version" "$to$libdir/libopenwa.so.$abi"
    ln -sf "libopenwa.so.$abi" "$to$libdir/libopenwa.so"
    ;;
esac
sed -e "s|@PREFIX@|$prefix|" -e "s|@LIBDIR@|$libdir|" -e "s|@VERSION@|$version|" -e "s|@LIBS@|$libs|" \
  ffi/openwa.pc.in > "$to$libdir/pkgconfig/openwa.pc"
echo "installed libopenwa $version (ABI $abi) in $to$prefix"
