# One record a process: `P pid how`, then lines that all begin with a letter and a blank, so that
# nothing a process is called, told or mapped to can begin a line of its own. how: listed, number.
# s: /proc/N/status  t: flags and start ticks (100 a second after boot)  e, d: exe and cwd  a: one
# argument a line, a newline inside is \003  f: sockets  v: LD_ variables  m: mapped code
p1() { d=/proc/$1; [ -r $d/status ] || return; echo "P $1 $2"
sed -n -e '/^Name:/s/^/s /p' -e '/^State:/s/^/s /p' -e '/^Tgid:/s/^/s /p' -e '/^PPid:/s/^/s /p' $d/status 2>/dev/null
sed -n -e '/^Uid:/s/^/s /p' -e '/^VmSize:/s/^/s /p' -e '/^Kthread:/s/^/s /p' $d/status 2>/dev/null
x=$(tr '\n' ' ' <$d/stat 2>/dev/null); set -- ${x##*) }; echo "t $7 ${20}"
ls -l $d/exe 2>&1 | sed 's/^/e /'; ls -l $d/cwd 2>&1 | sed 's/^/d /'
tr '\n\0' '\003\n' <$d/cmdline 2>/dev/null | sed 's/^/a /'
ls -l $d/fd 2>/dev/null | sed -n 's/.*\(socket:\[[0-9]*\]\)$/f \1/p'
tr '\0' '\n' <$d/environ 2>/dev/null | sed -n 's/^LD_/v LD_/p'
sed -n 's/^[^ ]* ..x. [^ ]* [^ ]* [^ ]* *\(\/.*\)$/m \1/p' $d/maps 2>/dev/null; }
L=' '; for q in /proc/[0-9]*; do n=${q#/proc/}; L="$L$n "; p1 $n listed; done
read m </proc/sys/kernel/pid_max || m=32768; k=$m; [ $k -gt 65536 ] && k=65536
i=1; while [ $i -le $k ]; do if [ -d /proc/$i ]; then case "$L" in *" $i "*) ;; *)
g=$(sed -n 's/^Tgid:[^0-9]*//p' /proc/$i/status 2>/dev/null)
if [ "$g" = $i ]; then A=' '; for q in /proc/[0-9]*; do A="$A${q#/proc/} "; done
case "$A" in *" $i "*) p1 $i late ;; *) p1 $i number ;; esac; fi ;; esac; fi; i=$((i+1)); done
echo "W $k $m"
