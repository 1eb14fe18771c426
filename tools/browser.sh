#!/bin/sh
# What the browser tests need, installed where root may: Debian's Chromium, better the one without a
# desktop's parts, and a typeface for what the apps say in Chinese. Elsewhere they are skipped.
set -eu
wanted=
for program in chromium-headless-shell chromium chromium-browser; do
    ! command -v "$program" >/dev/null || found="$program"
done
[ -n "${found:-}" ] || wanted=chromium
[ -n "$(find /usr/share/fonts -iname '*cjk*' -print -quit 2>/dev/null)" ] || wanted="$wanted fonts-noto-cjk"
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    [ -n "${found:-}" ] || echo "Without Chromium the browser tests are skipped."
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
echo "Installing Debian packages: $wanted"
light=$(echo "$wanted" | sed 's/chromium/chromium-headless-shell/')
# The words are several packages.
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $light </dev/null >/dev/null 2>&1 ||
    apt-get install -y -qq --no-install-recommends $wanted </dev/null >/dev/null ||
    echo "Chromium cannot be installed: the browser tests are skipped."
