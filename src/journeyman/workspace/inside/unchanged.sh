# Print `same` when the index of the last snapshot tells, with one look at the files, that nothing has
# changed; else go on as snapshot.sh. Most turns change nothing and this runs after each of them, so it
# is for the plain shell and starts one process; what it cannot read is no reason to say `same`.
snapshot=$1 base=$2 last_head=$3 last_tree=$4
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
unchanged() {
    index=$PWD/.git/journeyman-index
    read -r tree <"$index.tree" && [ "$tree" = "$last_tree" ] || return 1
    read -r head <.git/HEAD || return 1
    case $head in "ref: "*) read -r head <".git/${head#ref: }" || return 1 ;; esac
    [ "$head" = "$last_head" ] || return 1
    # A git that failed has said nothing, too.
    changed=$(GIT_INDEX_FILE=$index git -c core.fsmonitor=false \
        ls-files --modified --deleted --others --exclude-standard) || return 1
    [ -z "$changed" ]
}
if unchanged 2>/dev/null; then
    echo same
    exit
fi
exec /bin/bash -c "$snapshot" snapshot "$base" "$last_head" "$last_tree"
