begin größe-日本 say 'größe'
finish größe-日本
async_wait größe-日本
