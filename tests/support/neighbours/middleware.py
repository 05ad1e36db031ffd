import asyncio

from django.utils.decorators import async_only_middleware


@async_only_middleware
def awaits(get_response):
    """As some packages are: it knows no other way."""

    async def middleware(request):
        await asyncio.sleep(0.2)
        return await get_response(request)

    return middleware
