# seamless-mode for zsh, by: eval "$(seamless-mode zsh)"
# A key wraps the typed line in seamless-run; on an empty line it turns the mode on or off, in which Enter does that.
# All names here begin with __seamless_; nothing of the user's is replaced but Enter, and only while the mode is on.

if [[ -o interactive ]]; then

typeset -g __seamless_on='' __seamless_marker='[seamless] ' __seamless_typed='' __seamless_shown='' __seamless_result=''
typeset -gA __seamless_enters
# What works on the directory or the terminal, or whose effect is no output: it is never wrapped.
typeset -g __seamless_skipped=" @SKIPPED@ "
# Without arguments these talk to the user.
typeset -g __seamless_talkers=" @TALKERS@ "

__seamless_quoted() {
    emulate -L zsh
    local quote="'" outside="'\\''"
    __seamless_result="seamless-run -c '${1//$quote/$outside}'"
}

# The line as it is to be run, in __seamless_result; status 1: it is left as it is.
__seamless_wrap() {
    emulate -L zsh
    setopt extended_glob
    local line=$1 word rest kind turn
    for turn in 1 2 3 4; do
        # A blank, a bracket, a quote, an exclamation mark first: it is for the shell.
        [[ $line == [[:alnum:]./_]* ]] || return 1
        word=${line%%[[:space:];|&<>()]*}
        rest=${line[$#word+1,-1]}
        [[ $word == *[\'\"\\\$\`\{\}\*\?\[=]* || $word == seamless-* ]] && return 1
        [[ "$__seamless_skipped${SEAMLESS_MODE_SKIP-} " == *" ${word:t} "* ]] && return 1
        [[ -z ${rest//[[:space:]]/} && $__seamless_talkers == *" ${word:t} "* ]] && return 1
        kind=${"$(whence -w -- $word)"##*: }
        [[ $kind == alias ]] || break
        line=${aliases[$word]}$rest
        if [[ ${aliases[$word]%%[[:space:]]*} == $word ]]; then
            whence -p -- $word > /dev/null && kind=command
            break
        fi
    done
    [[ $kind == (command|hashed) ]] || return 1
    __seamless_is_for_shell $line && return 1
    __seamless_quoted $line
}

# Something in the line that only this shell can do: jobs, its history, a pager at the end; or it is no whole command.
# Jobs run in bash, which has to understand it.
__seamless_is_for_shell() {
    emulate -L zsh
    setopt extended_glob
    local bare=$1
    [[ $1 == *\&[[:space:]]# ]] && return 0
    [[ $1 =~ '\|[[:space:]]*(@PAGERS@)([[:space:]]|$)' ]] && return 0
    bare=${bare//\'[^\']#\'/}
    [[ $bare =~ '![^[:space:]=(]' ]] && return 0
    ! bash -n -c "$1" 2> /dev/null
}

# The line that a wrapped one was made of; status 1: it is not wrapped.
__seamless_unwrap() {
    emulate -L zsh
    local line=$1 inner quote="'" outside="'\\''"
    if [[ -n $__seamless_shown && $line == "$__seamless_shown" ]]; then
        __seamless_result=$__seamless_typed
        return 0
    fi
    [[ $line == "seamless-run -c '"*"'" ]] || return 1
    inner=${${line#"seamless-run -c '"}%"'"}
    inner=${inner//"$outside"/$quote}
    __seamless_quoted $inner
    [[ $line == "$__seamless_result" ]] || return 1
    __seamless_result=$inner
}

__seamless_show() {
    BUFFER=$__seamless_result
    CURSOR=${#BUFFER}
}

__seamless_remember() {
    __seamless_typed=$BUFFER
    __seamless_shown=$__seamless_result
    __seamless_show
}

__seamless_enter() {
    if [[ $CONTEXT == start ]] && __seamless_wrap $BUFFER; then
        __seamless_remember
    else
        zle ${__seamless_enters[$KEYMAP]:-${__seamless_enters[main]:-accept-line}}
    fi
}

__seamless_key() {
    if [[ -z ${BUFFER//[[:space:]]/} ]]; then
        [[ $CONTEXT == start ]] || return 0
        __seamless_toggle
        BUFFER=''
        __seamless_prompt
        zle reset-prompt
    elif __seamless_unwrap $BUFFER; then
        __seamless_show
    elif [[ $CONTEXT == start ]] && __seamless_wrap $BUFFER; then
        __seamless_remember
    else
        zle beep
    fi
    return 0
}

__seamless_toggle() {
    local map
    # `main` is another name of one of the others: all are read before any is changed.
    for map in main emacs viins vicmd; do
        [[ -n $__seamless_on ]] || __seamless_enters[$map]=${${(z)"$(bindkey -M $map "^M")"}[2]}
    done
    for map in main emacs viins vicmd; do
        if [[ -n $__seamless_on ]]; then
            bindkey -M $map '^M' ${__seamless_enters[$map]:-accept-line}
        else
            bindkey -M $map '^M' __seamless_enter
        fi
    done
    if [[ -n $__seamless_on ]]; then __seamless_on=''; else __seamless_on=1; fi
}

__seamless_prompt() {
    PROMPT=${PROMPT#"$__seamless_marker"}
    if [[ -n $__seamless_on ]]; then PROMPT=$__seamless_marker$PROMPT; fi
}

__seamless_setup() {
    local map key=${SEAMLESS_MODE_KEY:-'\C-x\C-w'}
    zle -N __seamless_enter
    zle -N __seamless_key
    for map in emacs viins vicmd; do
        bindkey -M $map "$key" __seamless_key
    done
    # Last, because others may set the prompt anew each time.
    autoload -Uz add-zsh-hook
    add-zsh-hook precmd __seamless_prompt
}

__seamless_setup

fi
