# Make the workspace a checkout of BASE on BRANCH, or leave it as it is when it is one already.
base=$1 branch=$2 url=$3 hook=$4

# Most often there is nothing to remove, and a look is quicker than a process.
without() { if [ -e "$1" ] || [ -L "$1" ]; then rm -rf "$1"; fi; }

usable() { [ -d .git ] && [ ! -L .git ] && git --git-dir=.git rev-parse -q --git-dir >/dev/null 2>&1; }

# On a base all files are there, and its index knows them: only what differs from BASE is touched.
begin_on_base() {
    local refs head main
    refs=$(<.git/journeyman-base)
    rm .git/journeyman-base # what is interrupted from here on is checked out in full
    if [ "$refs" != "$(mirrored)" ]; then
        git fetch -q --prune --tags --force --no-write-fetch-head --no-auto-gc origin || return
    fi
    read -r head <.git/HEAD
    if [ "$head" != "$base" ]; then git read-tree -m -u HEAD "$base" || return; fi
    {
        if read -r main 2>/dev/null <.git/refs/remotes/origin/HEAD; then
            main=${main#ref: refs/remotes/origin/}
            [ "$main" = "$branch" ] || echo "update refs/heads/$main refs/remotes/origin/$main"
        fi
        echo "update refs/heads/$branch $base"
    } | git update-ref --stdin || return
    git symbolic-ref HEAD "refs/heads/$branch"
}

if ! usable; then
    rm -rf .git.partial
    if [ -e .git ] || [ -L .git ]; then mv .git "$HOME/broken-git-$$"; fi
    kept=$(find . -mindepth 1 -maxdepth 1 -print -quit)
    git clone -q --shared --no-checkout --template= /mirror.git .git.partial
    if [ -n "$kept" ]; then : >.git.partial/.git/journeyman-kept; fi
    mv .git.partial/.git .git
    rmdir .git.partial
fi

if [ ! -e .git/journeyman-ready ]; then
    without .git/index.lock
    without .git/HEAD.lock
    if [ -e .git/journeyman-kept ]; then # the agent lost its .git: its files stay as uncommitted work
        git update-ref "refs/heads/$branch" "$base"
        git symbolic-ref HEAD "refs/heads/$branch"
        git reset -q
    elif [ ! -e .git/journeyman-base ] || ! begin_on_base; then
        git checkout -q -f --no-track -B "$branch" "$base"
    fi
    git config remote.origin.url "$url"
fi
[ -d .git/hooks ] || mkdir -p .git/hooks
without .git/hooks/prepare-commit-msg
printf '%s' "$hook" >.git/hooks/prepare-commit-msg
chmod 755 .git/hooks/prepare-commit-msg
: >.git/journeyman-ready
