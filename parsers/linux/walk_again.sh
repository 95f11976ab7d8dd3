# The listing of /proc once more, after ps: what stands in both was alive while ps ran, so that its
# absence from ps is no race. The lines are those of walk.sh; `w TEXT`, which prints a line, is the plan's.
{ for d in /proc/[0-9]*; do n=${d#/proc/}; s=
while IFS= read -r y || [ "$y" ]; do s="$s $y"; done 2>/dev/null <$d/stat
[ "$s" ] || continue
c=${s#*\(}; c=${c%\) *}; set -- ${s##*) }; w "P $n listed ppid=$2 uid= start=${20} flags=$7 state=$1 vm= kthread="; w "c $c"; done
w 'W walked=0 max=0 last=0 top=0'; } | tr '\001-\011\013-\037\177' '?'
