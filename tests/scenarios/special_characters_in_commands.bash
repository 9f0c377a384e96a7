complete special say 'a&b' 'c\d' 'e#f' '%command' 'g/h'
async_log special 'message with & and \ and # and / and %command'
async_wait special
