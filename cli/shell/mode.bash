# seamless-mode for bash, by: eval "$(seamless-mode bash)"
# A key wraps the typed line in seamless-run; on an empty line it turns the mode on or off, in which Enter does that.
# All names here begin with __seamless_; nothing of the user's is replaced but Enter, and only while the mode is on.

if ((BASH_VERSINFO[0] < 4)); then
    echo 'seamless-mode: error: bash 4 or newer is needed' >&2
elif [[ $- == *i* ]]; then

__seamless_on=''
__seamless_fresh=1
__seamless_marker='[seamless] '
__seamless_typed=''
__seamless_shown=''
__seamless_result=''
declare -A __seamless_enters=()
# What works on the directory or the terminal, or whose effect is no output: it is never wrapped.
__seamless_skipped=" @SKIPPED@ "
# Without arguments these talk to the user.
__seamless_talkers=" @TALKERS@ "

__seamless_quoted() {
    local quote="'" outside="'\\''"
    __seamless_result="seamless-run -c '${1//"$quote"/"$outside"}'"
}

# The line as it is to be run, in __seamless_result; status 1: it is left as it is.
__seamless_wrap() {
    local line=$1 word rest kind turn
    for turn in 1 2 3 4; do
        # A blank, a bracket, a quote, an exclamation mark first: it is for the shell.
        [[ $line == [[:alnum:]./_]* ]] || return 1
        word=${line%%[[:space:];|&<>()]*}
        rest=${line:${#word}}
        [[ $word == *[\'\"\\\$\`\{\}\*\?\[=]* || $word == seamless-* ]] && return 1
        [[ $__seamless_skipped${SEAMLESS_MODE_SKIP-}' ' == *" ${word##*/} "* ]] && return 1
        [[ -z ${rest//[[:space:]]/} && $__seamless_talkers == *" ${word##*/} "* ]] && return 1
        kind=$(type -t -- "$word") || return 1
        [[ $kind == alias ]] || break
        line=${BASH_ALIASES[$word]}$rest
        if [[ ${BASH_ALIASES[$word]%%[[:space:]]*} == "$word" ]]; then
            kind=$(type -P -- "$word") && kind=file
            break
        fi
    done
    [[ $kind == file ]] || return 1
    __seamless_is_for_shell "$line" && return 1
    __seamless_quoted "$line"
}

# Something in the line that only this shell can do: jobs, its history, a pager at the end; or it is no whole command.
__seamless_is_for_shell() {
    local bare=$1 end=${1%"${1##*[![:space:]]}"}
    [[ $end == *\& ]] && return 0
    [[ $1 =~ \|[[:space:]]*(@PAGERS@)([[:space:]]|$) ]] && return 0
    while [[ $bare =~ \'[^\']*\' ]]; do bare=${bare/"${BASH_REMATCH[0]}"/}; done
    [[ $- == *H* && $bare =~ \![^[:space:]=\(] ]] && return 0
    ! "$BASH" -n -c "$1" 2> /dev/null
}

# The line that a wrapped one was made of; status 1: it is not wrapped.
__seamless_unwrap() {
    if [[ -n $__seamless_shown && $1 == "$__seamless_shown" ]]; then
        __seamless_result=$__seamless_typed
        return
    fi
    [[ $1 == "seamless-run -c '"*"'" ]] || return 1
    local quote="'" outside="'\\''" inner=${1#"seamless-run -c '"}
    inner=${inner%"'"}
    inner=${inner//"$outside"/"$quote"}
    __seamless_quoted "$inner"
    [[ $1 == "$__seamless_result" ]] || return 1
    __seamless_result=$inner
}

__seamless_show() {
    READLINE_LINE=$1
    READLINE_POINT=${#1}
}

# What the second half of a key does: nothing, or what Enter did before.
__seamless_then() {
    local map
    for map in emacs-standard vi-insert vi-command; do
        if [[ $1 == accept ]]; then
            bind -m "$map" "\"\C-x\C-]2\": ${__seamless_enters[$map]:-accept-line}"
        else
            bind -m "$map" '"\C-x\C-]2": ""'
        fi
    done
}

__seamless_enter() {
    if [[ -n $__seamless_fresh ]] && __seamless_wrap "$READLINE_LINE"; then
        __seamless_typed=$READLINE_LINE
        __seamless_shown=$__seamless_result
        __seamless_show "$__seamless_result"
        __seamless_then nothing
    else
        # What follows before the next prompt continues this line.
        __seamless_fresh=''
        __seamless_then accept
    fi
}

__seamless_key() {
    __seamless_then nothing
    if [[ -z ${READLINE_LINE//[[:space:]]/} ]]; then
        [[ -n $__seamless_fresh ]] || return
        __seamless_toggle
        READLINE_LINE=''
        # An empty line brings the new prompt.
        __seamless_then accept
    elif __seamless_unwrap "$READLINE_LINE"; then
        __seamless_show "$__seamless_result"
    elif [[ -n $__seamless_fresh ]] && __seamless_wrap "$READLINE_LINE"; then
        __seamless_typed=$READLINE_LINE
        __seamless_shown=$__seamless_result
        __seamless_show "$__seamless_result"
    else
        printf '\a' >&2
    fi
}

__seamless_toggle() {
    local map line
    if [[ -n $__seamless_on ]]; then
        __seamless_on=''
        for map in emacs-standard vi-insert vi-command; do
            bind -m "$map" "\"\C-m\": ${__seamless_enters[$map]:-accept-line}"
        done
        return
    fi
    __seamless_on=1
    for map in emacs-standard vi-insert vi-command; do
        __seamless_enters[$map]=''
        while IFS= read -r line; do
            [[ $line == '"\C-m": '* ]] && __seamless_enters[$map]=${line#'"\C-m": '}
        done < <(bind -m "$map" -p; bind -m "$map" -s)
        bind -m "$map" '"\C-m": "\C-x\C-]1\C-x\C-]2"'
    done
}

__seamless_prompt() {
    __seamless_fresh=1
    PS1=${PS1#"$__seamless_marker"}
    if [[ -n $__seamless_on ]]; then PS1=$__seamless_marker$PS1; fi
}

__seamless_setup() {
    local map key=${SEAMLESS_MODE_KEY:-'\C-x\C-w'}
    for map in emacs-standard vi-insert vi-command; do
        bind -m "$map" -x '"\C-x\C-]1": __seamless_enter'
        bind -m "$map" -x '"\C-x\C-]3": __seamless_key'
        bind -m "$map" '"\C-x\C-]2": ""'
        bind -m "$map" "\"$key\": \"\C-x\C-]3\C-x\C-]2\""
    done
    # Last, because others may set the prompt anew each time.
    [[ ${PROMPT_COMMAND[*]-} == *__seamless_prompt* ]] && return
    if [[ $(declare -p PROMPT_COMMAND 2> /dev/null) == 'declare -a'* ]]; then
        PROMPT_COMMAND+=(__seamless_prompt)
    else
        PROMPT_COMMAND=${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}__seamless_prompt
    fi
}

__seamless_setup

fi
