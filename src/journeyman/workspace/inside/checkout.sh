# Make the workspace a checkout of BASE on BRANCH, or leave it as it is when it is one already.
base=$1 branch=$2 url=$3 hook=$4

usable() { [ -d .git ] && [ ! -L .git ] && git --git-dir=.git rev-parse -q --git-dir >/dev/null 2>&1; }

# On a base all files are there, and its index knows them: only what differs from BASE is touched.
begin_on_base() {
    local main
    rm .git/journeyman-base # what is interrupted from here on is checked out in full
    git fetch -q --prune --tags --force --no-write-fetch-head origin || return
    if [ "$(git rev-parse HEAD)" != "$base" ]; then git read-tree -m -u HEAD "$base" || return; fi
    if read -r main 2>/dev/null <.git/refs/remotes/origin/HEAD; then
        main=${main#ref: refs/remotes/origin/}
        git update-ref "refs/heads/$main" "refs/remotes/origin/$main" || return
    fi
    git update-ref "refs/heads/$branch" "$base" && git symbolic-ref HEAD "refs/heads/$branch"
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
    rm -f .git/index.lock .git/HEAD.lock
    if [ -e .git/journeyman-kept ]; then # the agent lost its .git: its files stay as uncommitted work
        git update-ref "refs/heads/$branch" "$base"
        git symbolic-ref HEAD "refs/heads/$branch"
        git reset -q
    elif [ ! -e .git/journeyman-base ] || ! begin_on_base; then
        git checkout -q -f --no-track -B "$branch" "$base"
    fi
    git remote set-url origin "$url"
fi
mkdir -p .git/hooks
rm -rf .git/hooks/prepare-commit-msg
printf '%s' "$hook" >.git/hooks/prepare-commit-msg
chmod 755 .git/hooks/prepare-commit-msg
: >.git/journeyman-ready
