# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about functions of texts: each over literals, nulls and wrong types; URLs; patterns."""
from cases_expressions import lines
from cases_values import values

TYPED = lines(r"""
CHR(CAST(97 AS BIGINT))
CHR(0)
CHR(255)
CHR(256)
CHR(-159)
CHR(9223372036854775807)
CHR(@i)
CHR('a')
ASCII('中')
ASCII('😀')
ASCII(@s)
ASCII(65)
UPPER('straße')
UPPER('ŉ')
UPPER(@s)
UPPER(1)
LOWER('ΑΣ')
LOWER('İ')
LOWER(@s)
INITCAP('ÉCOLE élève o''neil x-ray')
INITCAP('中文abc DEF1ghi_jkl')
INITCAP('')
INITCAP(@s)
REVERSE('😀é')
REVERSE(@s)
REVERSE(12)
CHAR_LENGTH('👩‍👧')
CHAR_LENGTH(@s)
CHAR_LENGTH(x'e4b8ad')
CHAR_LENGTH(123)
CHAR_LENGTH(CAST('ab' AS CHAR(5)))
REPEAT('中', 3)
REPEAT(@s, 2)
REPEAT('a', @i)
REPEAT('', 100)
REPEAT('ab', CAST(2 AS BIGINT))
LPAD(@s, 3, 'x')
LPAD('a', @i, 'x')
LPAD('a', 3, @s)
RPAD(@s, 3, 'x')
RPAD('a', @i, 'x')
RPAD('a', 3, @s)
LEFT(@s, 1)
LEFT('a', @i)
RIGHT(@s, 1)
RIGHT('中文', 1)
BTRIM(@s)
BTRIM('  中  ')
LTRIM(@s)
LTRIM('　中')
RTRIM(@s)
RTRIM('', 'x')
TRIM('x' FROM 'xax')
TRIM(BOTH FROM ' a ')
TRIM(@s)
TRIM(BOTH @s FROM 'a')
TRIM(1)
OVERLAY(@s PLACING 'a' FROM 1)
OVERLAY('abc' PLACING @s FROM 1)
OVERLAY('abc' PLACING 'X' FROM @i)
OVERLAY('xxxxxtest' PLACING 'xxxx' FROM 6)
OVERLAY('xxxxxtest' PLACING 'xxxx' FROM 6 FOR 2)
TRANSLATE(@s, 'a', 'b')
TRANSLATE('hello', 'lle', 'xyz')
TRANSLATE('中文', '中', '国')
TRANSLATE('abc', 'abc')
STR_TO_MAP('k1=v1,k2=v2,k1=v3')
STR_TO_MAP('k1=v1=x,k2,=v3,')
STR_TO_MAP('a:1|b:2', '\|', ':')
STR_TO_MAP('a1b2', '', '')
STR_TO_MAP(@s)
STR_TO_MAP('a=1', @s, '=')
STR_TO_MAP('a=1;b=2', ';', '=')['b']
STR_TO_MAP('a=1;b=2', '[', '=')
SPLIT('a中b中', '中')
SPLIT('abc', 'abc')
SPLIT('aXbXc', 'x')
SPLIT('a||b', '|')
CARDINALITY(SPLIT('a,b,,', ','))
SPLIT('😀😀', '')
PARSE_URL('http://facebook.com/path1/p.php?k1=v1&k2=v2#Ref1', 'QUERY', 'k1')
PARSE_URL('http://facebook.com/path1/p.php?k1=v1&k2=v2#Ref1', 'QUERY', 'k3')
PARSE_URL('http://facebook.com/path1/p.php?k1=v1&k2=v2#Ref1', 'HOST', 'k1')
PARSE_URL(@s, 'HOST')
PARSE_URL('http://h/', @s)
PARSE_URL('http://h/?a=1', 'QUERY', @s)
PRINTF('%s %d %.2f', 'a', 1, 2.5E0)
PRINTF('%d', 'a')
PRINTF('%s')
PRINTF('%%')
PRINTF('%s', @s)
PRINTF(@s, 1)
PRINTF('%2$s %1$s', 'a', 'b')
PRINTF('%x %o %X %c', 255, 8, 255, 'c')
PRINTF('%,d', 1234567)
PRINTF('%+d % d %(d', 5, 5, -5)
PRINTF('%e %g', 12345.678E0, 0.0001E0)
PRINTF('%b %b', TRUE, FALSE)
PRINTF('%s', 1.50)
PRINTF('%s', DATE '2024-02-29')
PRINTF('%n')
PRINTF('%q', 1)
PRINTF('%.3f', 1.23456)
PRINTF('%5.1f|', CAST(2.25 AS FLOAT))
PRINTF('%s %s', 1)
PRINTF('%08.3f', -3.14159E0)
PRINTF('%d', CAST(9223372036854775807 AS BIGINT))
PRINTF('%-6d|', CAST(7 AS TINYINT))
PRINTF('中文 %s 😀', '流')
ELT(1, 'a', 'b')
ELT(3, 'a', 'b')
ELT(0, 'a')
ELT(-1, 'a')
ELT(@i, 'a')
ELT(1, @s, 'b')
ELT(CAST(2 AS TINYINT), 'a', 'bcd')
ELT(2, x'01', x'0203')
ELT(2, 'a', x'01')
ELT(1)
ENCODE(@s, 'UTF-8')
ENCODE('a', @s)
ENCODE('a', 'nope')
ENCODE('中', 'GB18030')
DECODE(x'd6d0', 'GBK')
DECODE(x'ff', 'UTF-8')
DECODE(x'', 'UTF-8')
DECODE(@s, 'UTF-8')
DECODE(x'61', 'nope')
DECODE(CAST(NULL AS BYTES), 'UTF-8')
UNHEX('4D7953514C')
UNHEX('4d7')
UNHEX('zz')
UNHEX('')
UNHEX(@s)
CAST(UNHEX('E4B8AD') AS STRING)
TO_BASE64(x'00ff')
TO_BASE64('中文')
TO_BASE64('')
TO_BASE64(@s)
FROM_BASE64('5Lit5paH')
FROM_BASE64('aGVsbG8')
FROM_BASE64('aGVs bG8=')
FROM_BASE64('')
FROM_BASE64(@s)
URL_ENCODE('http://a.b/c?d=e f&g=中文~*-_.!')
URL_ENCODE(@s)
URL_DECODE('%E4%B8%AD%E6%96%87')
URL_DECODE('%zz')
URL_DECODE('a%2')
URL_DECODE('%ff%fe')
URL_DECODE('+%2B%20')
URL_DECODE(@s)
CONCAT('中', '文', '😀')
CONCAT(x'01', x'02')
CONCAT_WS('~', 'AA', @s, 'BB', '', 'CC')
CONCAT_WS('、', '中', '文')
CONCAT_WS(',')
CONCAT_WS(',', ARRAY['a', 'b'])
x'01' || x'02'
'a' || DATE '2024-01-01'
SUBSTRING(x'010203', 2)
SUBSTRING(12345, 2)
REPLACE(@s, 'a', 'b')
REPLACE('abc', 'a', @s)
REGEXP_EXTRACT('abc', @s)
REGEXP_EXTRACT(@s, 'a')
REGEXP_EXTRACT('abc', '(b)', @i)
REGEXP_EXTRACT('a1b22', '([a-z])(\d+)', 2)
REGEXP_EXTRACT('abc', '(?i)B')
REGEXP_EXTRACT('aaa', 'a+?')
REGEXP_EXTRACT('foobar', '(?<=foo)bar')
REGEXP_EXTRACT('2024-02-29', '(?<y>\d+)-(?<m>\d+)', 2)
REGEXP_EXTRACT('xx中文', '[一-龥]+')
REGEXP_REPLACE('aaa', 'a', @s)
REGEXP_REPLACE(@s, 'a', 'b')
REGEXP_REPLACE('a.b.c', '\.', '\\')
REGEXP_REPLACE('Abc', '(?i)a', 'x')
REGEXP_REPLACE('abab', '(ab)\1', 'x')
REGEXP_COUNT('abababab', 'aba')
REGEXP_COUNT(@s, 'a')
REGEXP_INSTR(@s, 'a')
REGEXP_INSTR('😀a', 'a')
REGEXP_SUBSTR('中文abc', '[a-c]')
REGEXP_SUBSTR(@s, 'a')
REGEXP_EXTRACT_ALL('100-200, 300-400', '(\d+)-(\d+)', 1)
REGEXP_EXTRACT_ALL('100-200, 300-400', '(\d+)-(\d+)', 3)
REGEXP_EXTRACT_ALL('abc', 'x')
REGEXP_EXTRACT_ALL(@s, 'x')
POSITION('B' IN 'abc')
POSITION('文' IN '中文')
POSITION('b' IN @s)
POSITION('b' IN 'abcb' FROM 3)
INSTR('中文中', '中', 2)
INSTR('banana', 'a', 1, 3)
INSTR('banana', 'a', -1, 2)
INSTR('banana', 'a', 0)
INSTR('banana', 'a', 1, 0)
INSTR(@s, 'a')
LOCATE(@s, 'a')
LOCATE('a', 'banana', @i)
LOCATE('', '')
STARTSWITH('😀', '😀')
STARTSWITH(x'0102', x'01')
STARTSWITH('a', x'01')
ENDSWITH(@s, 'a')
ENDSWITH(x'0102', x'')
""")
URLS = ["http://user:pw@example.org:8080/docs/a%20b.html;p=1?k1=v1&k2=&k1=v3&%E4%B8%AD=1#frag", "https://例子.中国/路径?q=流", "ftp://h", "http://h?k=a+b", "mailto:a@b.org", "not a url", "file:///etc/hosts", "http://[::1]:9/x", "", None]
ON_URLS = ["PARSE_URL(s, '%s')" % p for p in ("HOST", "PATH", "QUERY", "REF", "PROTOCOL", "FILE", "AUTHORITY", "USERINFO", "host", "PORT", "")]
ON_URLS += ["PARSE_URL(s, 'QUERY', '%s')" % k for k in ("k1", "k2", "k", "q", "", "中", ".*")]
LIKES = values("s STRING, p STRING", r"""
abc  a%
abc  _b_
abc  a_
a%c  a\%c
a_c  a#_c
中文数据  中__据
😀x  _x
😀x  __
a.c  a.c
abc  a.c
''  ''
''  %
abc  %%%c%
[x]  [x]
ab  (a|b)*
aab  a+b
abab  (ab){2}
x  [^a-w]
7  [[:DIGIT:]]
-  a
a  -
""")
ON_LIKES = lines(r"""
s LIKE p
s NOT LIKE p
s LIKE p ESCAPE '#'
s LIKE p ESCAPE '\'
s SIMILAR TO p
s NOT SIMILAR TO p
s SIMILAR TO p ESCAPE '#'
REGEXP(s, p)
s LIKE '%c'
s LIKE 'a%c'
s LIKE '%b%'
s LIKE '_'
s LIKE '__'
s LIKE '%'
s LIKE ''
s LIKE 'abc'
s LIKE '%\%%' ESCAPE '\'
s SIMILAR TO '%(c|x|7)'
s SIMILAR TO '[a-c]{2,3}'
s SIMILAR TO '_+'
s SIMILAR TO 'a|ab'
s LIKE 'a#' ESCAPE '#'
s LIKE 'a##c' ESCAPE '##'
s SIMILAR TO '['
""")
