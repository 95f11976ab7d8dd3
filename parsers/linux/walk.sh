# The processes of a device: first those that a listing of /proc shows, then every number.
# Needs a POSIX shell, tr, sed, ls, readlink (else ls); `w TEXT`, which prints a line, is the plan's.
# Comments do not travel to the device. Nothing is written, no signal is sent (signal 0 only asks).
#
# P pid how ppid= uid= start= flags= state= vm= kthread=   begins a record. how: listed; late (born
#     after the listing); number (answers to its number, is in no listing); signal (answers to signal 0
#     and has no entry in /proc). start: clock ticks after boot, 100 a second (USER_HZ) on ARM, MIPS,
#     PowerPC and x86. flags: PF_ of the kernel. vm: kB. kthread: the kernel's own word, since Linux 6.9.
# c comm    e exe    d cwd      e and d: the link, or - and the error (no such file: kernel thread or zombie)
# a argument   one a line, so that boundaries stay      v NAME=value   LD_ and SSH_ variables only
# f fd inode   sockets      m file   mapped with execute permission      u what could not be opened
# x            the process ended while it was read
# W walked= max= last= top=   the end: numbers asked, pid_max, the kernel's last number, highest listed
#
# Every line begins with a letter of ours. A newline inside a text is written \n, a backslash \\, any
# other control byte ?, so nothing that a process is called, told or mapped to can begin a line.
# comm keeps the kernel's own \n and \\, a mapped file the kernel's own \012.
L='
'
A=$(echo a | tr a '\001')
h() { sed -e 's/\\/\\\\/g' -e "s/$A/\\\\n/g" "$@"; }
z() { tr '\0\n\001' '\n\001?' <$1; echo; }
l() { readlink $1 2>/dev/null; }
readlink /proc/self/exe >/dev/null 2>&1 || l() { x=$(ls -l $1 2>/dev/null)
case $x in *' -> '*) w "${x#* -> }" ;; *) return 1 ;; esac; }
# t key name: one link of the process
t() { if x=$(l $d/$2); then case $x in *"$L"*|*\\*) w "$x" | tr '\n\001' '\001?' | h -e "s/^/$1 /" -e 's/\\n$//'; echo ;;
*) w "$1 $x" ;; esac
else x=$( { : <$d/$2; } 2>&1 ); w "$1 - ${x##*: }"; fi; }
# b pid: what stat and status say
b() { d=/proc/$1; n=$1; s=; g=; u=; v=; k=; c=
while IFS= read -r y || [ "$y" ]; do s="$s $y"; done 2>/dev/null <$d/stat
[ "$s" ] || return 1
while IFS= read -r y; do case $y in Name:*) c=${y#Name:?} ;;
Tgid:*) set -- $y; g=$2 ;; Uid:*) set -- $y; u=$2 ;; VmSize:*) set -- $y; v=$2 ;; Kthread:*) set -- $y; k=$2 ;; esac
done 2>/dev/null <$d/status; return 0; }
# r how: the record of the process that b read
r() { set -- $1 ${s##*) }; w "P $n $1 ppid=$3 uid=$u start=${21} flags=$8 state=$2 vm=$v kthread=$k"
w "c $c"; t e exe; t d cwd; y=; read -r y 2>/dev/null <$d/cmdline
if [ "$v$y" ]; then z $d/cmdline 2>/dev/null | h -e 's/^/a /' -e '$s/^a $//' -e '/^$/d'; o=
if [ -r $d/environ ]; then z $d/environ 2>/dev/null | h -n -e '/^LD_/s/^/v /p' -e '/^SSH_C/s/^/v /p'; else o=' environ'; fi
if read -r y 2>/dev/null <$d/maps; then sed -n 's/^[^ ]* ..x. [^ ]* [^ ]* [^ ]* *\(\/.*\)/m \1/p' $d/maps 2>/dev/null
else o="$o maps"; fi; [ -r $d/fd ] || o="$o fd"; [ "$o" ] && w "u$o"
for f in $(ls -l $d/fd 2>/dev/null | sed -n 's/.* \([0-9]*\) -> socket:\[[0-9]*\]$/\1/p'); do
x=$(l $d/fd/$f); case $x in socket:*) x=${x#socket:?}; w "f $f ${x%?}" ;; esac; done; fi
[ -d $d ] || w x; }
# n pid: a number that answers and was not listed; a thread has another process as its group
n() { if b $1; then [ "${g:-$1}" = $1 ] || return; S=' '; for f in /proc/[0-9]*; do S="$S${f#/proc/} "; done
case $S in *" $1 "*) r late ;; *) r number ;; esac
elif q $1 && { b $1; [ -z "$s" ]; } && q $1; then w "P $1 signal ppid= uid= start= flags= state= vm= kthread="; fi; }
q() { return 1; }
case $(type kill 2>&1) in *builtin*) q() { kill -0 $1 2>/dev/null; } ;; esac
{ T=' '; for f in /proc/[0-9]*; do T="$T${f#/proc/} "; done
j=0; for i in $T; do [ $i -gt $j ] && j=$i; b $i && r listed; done
top=$j; m=$(cat /proc/sys/kernel/pid_max 2>/dev/null); m=${m:-32768}; last=; read -r y y y y last </proc/loadavg
if [ $m -gt 65536 ]; then [ $j -gt 65536 ] || j=65536; [ ${last:-0} -gt $j ] && j=$last; else j=$m; fi
[ $j -gt 400000 ] && j=400000
i=0; while [ $i -lt $j ]; do i=$((i+1))
if q $i || read -r y </proc/$i/stat; then case $T in *" $i "*) ;; *) n $i ;; esac; fi; done 2>/dev/null
w "W walked=$j max=$m last=$last top=$top"; } | tr '\001-\011\013-\037\177' '?'
