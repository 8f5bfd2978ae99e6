# Comes first in every script here. Nothing that the agent configured may stop or divert these.
set -euo pipefail
export GIT_TERMINAL_PROMPT=0 GIT_EDITOR=true GIT_PAGER=cat
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
git() {
    command git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c gc.auto=0 "$@"
}
mirrored() { git --git-dir=/mirror.git for-each-ref --format='%(objectname) %(refname)'; }
