// NestJS: an API key for each handler. @UseGuards(needs('messages:read')) on a controller or a method.
import { ForbiddenException, Inject, Injectable, mixin, type CanActivate, type ExecutionContext, type Type } from '@nestjs/common'
import { Store, type Permission } from 'openwa-store'

export function needs(permission: Permission): Type<CanActivate> {
  @Injectable()
  class KeyGuard implements CanActivate {
    constructor(@Inject(Store) private readonly store: Store) {}

    async canActivate(context: ExecutionContext): Promise<boolean> {
      const { headers, ip } = context.switchToHttp().getRequest<{ headers: Record<string, string>; ip: string }>()
      const { allowed } = await this.store.apiKeys.authorize(headers['x-api-key'] ?? '', { permission, ip })
      if (!allowed) throw new ForbiddenException()
      return true
    }
  }
  return mixin(KeyGuard)
}
